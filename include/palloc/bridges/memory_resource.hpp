// SPDX-License-Identifier: MIT
/// @file
/// @brief Any pool as a `std::pmr::memory_resource`.
#pragma once

#include <palloc/concepts/pool.hpp>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <new>

namespace palloc::inline v0 {

/// @brief Serves containers from a pool that must outlive it. Two resources over the same pool are
/// equal.
///
/// Size and alignment are checked on deallocation as far as the pool's bitmap can tell; a mistake
/// is the pool's misuse. Costs a virtual call over the pool's own.
/// @par Errors  `std::bad_alloc` where the pool has no room.
/// @par Thread safety  the pool's
template <pool_can_serve_containers Pool>
class pool_resource final : public std::pmr::memory_resource {
  public:
    explicit pool_resource(Pool& pool) noexcept : pool_(&pool) {}

    [[nodiscard]] Pool& pool() const noexcept { return *pool_; }

  private:
    // The standard allows sizes of 0, and wants an address for each.
    static constexpr std::size_t at_least_one(std::size_t bytes) noexcept {
        return bytes + (bytes == 0);
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        auto&& block = pool_->allocate(at_least_one(bytes), alignment);
        if (!block) [[unlikely]]
            throw std::bad_alloc();
        return reinterpret_cast<void*>(*block);
    }

    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        (void)pool_->deallocate(reinterpret_cast<std::uintptr_t>(block), at_least_one(bytes),
                                alignment);
    }

    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        const auto* same = dynamic_cast<const pool_resource*>(&other);
        return same != nullptr && same->pool_ == pool_;
    }

    Pool* pool_;
};

} // namespace palloc::inline v0
