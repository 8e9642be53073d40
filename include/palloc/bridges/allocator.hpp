// SPDX-License-Identifier: MIT
/// @file
/// @brief Any pool as a standard allocator, without the virtual call of `std::pmr`.
#pragma once

#include <palloc/bridges/memory_resource.hpp>
#include <palloc/core/layout.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace palloc::inline v0 {

/// @brief A standard allocator of `T` over a pool that must outlive every container that uses it.
/// @par Errors  `std::bad_alloc`, `std::bad_array_new_length` where the size overflows.
/// @par Thread safety  the pool's
template <class T, pool_can_serve_containers Pool>
class pool_allocator {
  public:
    using value_type = T;

    explicit pool_allocator(Pool& pool) noexcept : pool_(&pool) {}
    template <class U>
    // NOLINTNEXTLINE(google-explicit-constructor): the standard wants the conversion
    pool_allocator(const pool_allocator<U, Pool>& other) noexcept : pool_(&other.pool()) {}

    [[nodiscard]] T* allocate(std::size_t count) {
        const auto wanted = layout::array_of<T>(count);
        if (!wanted)
            throw std::bad_array_new_length();
        const auto block = pool_->allocate(wanted->bytes + (count == 0), wanted->alignment);
        if (!block)
            throw std::bad_alloc();
        return reinterpret_cast<T*>(*block);
    }

    void deallocate(T* block, std::size_t count) noexcept {
        (void)pool_->deallocate(reinterpret_cast<std::uintptr_t>(block),
                                count * sizeof(T) + (count == 0), alignof(T));
    }

    [[nodiscard]] Pool& pool() const noexcept { return *pool_; }

    template <class U>
    [[nodiscard]] bool operator==(const pool_allocator<U, Pool>& other) const noexcept {
        return pool_ == &other.pool();
    }

  private:
    Pool* pool_;
};

} // namespace palloc::inline v0
