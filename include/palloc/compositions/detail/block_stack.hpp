// SPDX-License-Identifier: MIT
/// @file
/// @brief A stack of free blocks of one size in front of a pool: what magazines are made of.
#pragma once

#include <palloc/compositions/detail/many.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace palloc::inline v0::detail {

/// @tparam Places  how many blocks fit; those that are never used are never touched.
template <std::size_t Places>
class block_stack {
  public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// @brief The block that was put last; where there is none, blocks for half of the places are
    /// fetched, of which the lowest comes first.
    /// @param places  how many there are, 2 to `Places`; the same at each call
    /// @par Errors  the pool's
    template <block_allocator Pool>
    [[nodiscard]] result<address> take(Pool& pool, layout block,
                                       std::size_t places = Places) noexcept {
        if (size_ == 0) [[unlikely]]
            return refill(pool, block, places / 2);
        return blocks_[--size_];
    }

    /// @brief Puts a block; where the places are all taken, the older half is given back first.
    /// @par Errors  the pool's, where the block is the one that was put last
    template <block_allocator Pool>
    [[gnu::always_inline]] result<void> put(address given, Pool& pool, layout block,
                                            std::size_t places = Places) noexcept {
        if (size_ != 0 && blocks_[size_ - 1] == given) [[unlikely]]
            return refuse_twin(pool, block);
        if (size_ == places) [[unlikely]]
            give_back(pool, block, places / 2);
        blocks_[size_++] = given;
        return {};
    }

    /// @brief Gives all blocks back.
    template <block_allocator Pool>
    void flush(Pool& pool, layout block) noexcept {
        give_back(pool, block, size_);
    }

    /// @brief Forgets all blocks.
    void clear() noexcept { size_ = 0; }

  private:
    template <block_allocator Pool>
    [[nodiscard]] [[gnu::noinline]] result<address> refill(Pool& pool, layout block,
                                                           std::size_t count) noexcept {
        size_ = allocate_many(pool, block.bytes, block.alignment, std::span(blocks_, count));
        if (size_ == 0)
            return pool.allocate(block.bytes, block.alignment); // which says why
        std::reverse(blocks_, blocks_ + size_);
        return blocks_[--size_];
    }

    template <block_allocator Pool>
    [[gnu::noinline]] void give_back(Pool& pool, layout block, std::size_t oldest) noexcept {
        deallocate_many(pool, std::span<const address>(blocks_, oldest), block.bytes,
                        block.alignment);
        std::copy(blocks_ + oldest, blocks_ + size_, blocks_);
        size_ -= oldest;
    }

    // To the pool both are in use: it takes the first, and refuses the second as its user chose.
    template <block_allocator Pool>
    [[gnu::noinline]] result<void> refuse_twin(Pool& pool, layout block) noexcept {
        const address twin = blocks_[--size_];
        (void)pool.deallocate(twin, block.bytes, block.alignment);
        return pool.deallocate(twin, block.bytes, block.alignment);
    }

    std::size_t size_ = 0;
    address blocks_[Places];
};

} // namespace palloc::inline v0::detail
