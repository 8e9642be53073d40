// SPDX-License-Identifier: MIT
/// @file
/// @brief Containers that lie in a shared pool themselves, and that every process attached to it
/// uses at its own addresses.
///
/// When to choose it: with containers that take pointers which are no addresses, as those of
/// Boost.Container with `boost::interprocess::offset_ptr`. Costs: 8 bytes a container. Nothing of a
/// container is lost when a process ends; one that is killed while it changes a container leaves
/// that container as half-changed as a lock would tell.
#pragma once

#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/shared.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

namespace palloc::inline v0 {

/// @brief A standard allocator whose blocks the pool keeps. It remembers where the segment is
/// relative to itself, so that it may lie in the segment, or in a process's own memory.
/// @tparam Pointer  a fancy pointer to the value type
/// @par Errors  `std::bad_alloc`, `std::bad_array_new_length` where the size overflows
/// @par Thread safety  the pool's
template <class Pointer, class Pool = shared_pool<>>
class shared_allocator {
    using traits = std::pointer_traits<Pointer>;

  public:
    using value_type = typename traits::element_type;
    using pointer = Pointer;
    using const_pointer = typename traits::template rebind<const value_type>;
    using void_pointer = typename traits::template rebind<void>;
    using const_void_pointer = typename traits::template rebind<const void>;
    using size_type = std::make_unsigned_t<typename traits::difference_type>;
    using difference_type = typename traits::difference_type;
    using propagate_on_container_copy_assignment = std::true_type;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;

    template <class U>
    struct rebind {
        using other = shared_allocator<typename traits::template rebind<U>, Pool>;
    };

    explicit shared_allocator(Pool& pool) noexcept { refer_to(pool.segment().base()); }
    shared_allocator(const shared_allocator& other) noexcept { refer_to(other.base()); }
    template <class U>
    // NOLINTNEXTLINE(google-explicit-constructor): the standard wants the conversion
    shared_allocator(const shared_allocator<U, Pool>& other) noexcept {
        refer_to(other.base());
    }
    shared_allocator& operator=(const shared_allocator& other) noexcept {
        refer_to(other.base());
        return *this;
    }
    ~shared_allocator() = default;

    /// @pre  This process has a pool over the segment.
    [[nodiscard]] pointer allocate(size_type count) {
        const auto wanted = layout::array_of<value_type>(count);
        if (!wanted)
            throw std::bad_array_new_length();
        const std::uint64_t bytes = wanted->bytes + (count == 0);
        const auto block = pool().allocate(bytes, wanted->alignment);
        if (!block || !pool().keep(*block, bytes))
            throw std::bad_alloc();
        return traits::pointer_to(*reinterpret_cast<value_type*>(*block));
    }
    void deallocate(const pointer& block, size_type count) noexcept {
        (void)pool().deallocate(reinterpret_cast<std::uintptr_t>(std::to_address(block)),
                                count * sizeof(value_type) + (count == 0), alignof(value_type));
    }
    [[nodiscard]] size_type max_size() const noexcept {
        return std::numeric_limits<difference_type>::max() / sizeof(value_type);
    }

    /// @brief Where the segment is in this process, and this process's pool over it.
    [[nodiscard]] address base() const noexcept {
        return reinterpret_cast<std::uintptr_t>(this) + to_base_;
    }
    [[nodiscard]] Pool& pool() const noexcept { return *Pool::over(base()); }

    template <class U>
    [[nodiscard]] bool operator==(const shared_allocator<U, Pool>& other) const noexcept {
        return base() == other.base();
    }

  private:
    void refer_to(address base) noexcept {
        to_base_ = base - reinterpret_cast<std::uintptr_t>(this);
    }

    std::uint64_t to_base_; ///< modulo 2^64
};

} // namespace palloc::inline v0
