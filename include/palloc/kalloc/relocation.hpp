// SPDX-License-Identifier: MIT
/// @file
/// @brief Which objects may be moved by copying their bytes, and how the others are moved.
#pragma once

#include <palloc/core/version.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief Whether a `T` may change its address by a copy of its bytes, the old ones being forgotten
/// without a destructor. Specialise it for your own types of which that holds.
template <class T>
inline constexpr bool is_trivially_relocatable = std::is_trivially_copyable_v<T>;

namespace detail {

/// @brief Makes the objects of `[from, from + count)` anew at `to`, and destroys the old ones.
///
/// Moves where a move cannot throw or a copy is impossible, else copies; so an exception leaves the
/// old objects as they were, and none at `to`, unless only a throwing move is there.
template <class T>
void relocate_objects(T* from, std::size_t count,
                      T* to) noexcept(std::is_nothrow_move_constructible_v<T>) {
    struct undo {
        T* first;
        std::size_t made = 0;
        ~undo() { std::destroy_n(first, made); }
    } rollback{to};
    for (; rollback.made != count; ++rollback.made)
        ::new (static_cast<void*>(to + rollback.made))
            T(std::move_if_noexcept(from[rollback.made]));
    rollback.made = 0;
    std::destroy_n(from, count);
}

} // namespace detail
} // namespace palloc::inline v0
