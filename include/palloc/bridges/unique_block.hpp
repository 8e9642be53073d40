// SPDX-License-Identifier: MIT
/// @file
/// @brief A block that gives itself back.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief Owns one block of a pool that must outlive it, or nothing.
template <block_allocator Pool>
class unique_block {
  public:
    unique_block() noexcept = default;
    unique_block(unique_block&& other) noexcept { swap(other); }
    unique_block& operator=(unique_block&& other) noexcept {
        unique_block(std::move(other)).swap(*this);
        return *this;
    }
    unique_block(const unique_block&) = delete;
    unique_block& operator=(const unique_block&) = delete;
    ~unique_block() { reset(); }

    /// @brief A block of `pool`.
    /// @par Errors  those of the pool's `allocate`
    [[nodiscard]] static result<unique_block> make(Pool& pool, std::uint64_t bytes,
                                                   std::uint64_t alignment = 1) noexcept {
        const auto block = pool.allocate(bytes, alignment);
        if (!block)
            return tl::unexpected(block.error());
        return unique_block(pool, {*block, bytes}, alignment);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return pool_ != nullptr; }
    [[nodiscard]] range where() const noexcept { return where_; }

    /// @brief The bytes, where they may be touched.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept
        requires touchable_allocator<Pool>
    {
        return {reinterpret_cast<std::byte*>(where_.base), static_cast<std::size_t>(where_.bytes)};
    }

    /// @brief Lets go of the block without giving it back.
    range release() noexcept {
        pool_ = nullptr;
        return std::exchange(where_, range{});
    }

    /// @brief Gives the block back now.
    void reset() noexcept {
        if (pool_ != nullptr)
            (void)pool_->deallocate(where_.base, where_.bytes, alignment_);
        release();
    }

    void swap(unique_block& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(where_, other.where_);
        std::swap(alignment_, other.alignment_);
    }

  private:
    unique_block(Pool& pool, range where, std::uint64_t alignment) noexcept
        : pool_(&pool), where_(where), alignment_(alignment) {}

    Pool* pool_ = nullptr;
    range where_{};
    std::uint64_t alignment_ = 1;
};

} // namespace palloc::inline v0
