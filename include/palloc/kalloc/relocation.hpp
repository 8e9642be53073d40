// SPDX-License-Identifier: MIT
/// @file
/// @brief Which objects may be moved by copying their bytes, and how the others are moved.
#pragma once

#include <palloc/core/version.hpp>

#include <concepts>
#include <cstddef>
#include <cstring>
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

/// @brief Whether an object gets another address without an exception.
template <class T>
inline constexpr bool relocates_without_throwing =
    is_trivially_relocatable<T> || std::is_nothrow_move_constructible_v<T>;

/// @brief The object at `from` is at `to` then, where none was; may be the same place only for
/// objects of size 0.
template <class T>
    requires relocates_without_throwing<T>
void relocate_object(T* from, T* to) noexcept {
    if constexpr (is_trivially_relocatable<T>) {
        std::memcpy(static_cast<void*>(to), static_cast<const void*>(from), sizeof(T));
    } else {
        ::new (static_cast<void*>(to)) T(std::move(*from));
        std::destroy_at(from);
    }
}

/// @brief Room for one object on its way.
template <class T>
struct object_room {
    alignas(T) std::byte storage[sizeof(T) == 0 ? 1 : sizeof(T)];
    [[nodiscard]] T* place() noexcept { return reinterpret_cast<T*>(storage); }
};

/// @brief The two change places; throws only where neither a relocation nor `swap` would not.
template <class T>
void exchange_objects(T& a, T& b) noexcept(relocates_without_throwing<T> ||
                                           std::is_nothrow_swappable_v<T>) {
    if constexpr (relocates_without_throwing<T> && !std::is_nothrow_swappable_v<T>) {
        object_room<T> aside;
        relocate_object(std::addressof(a), aside.place());
        relocate_object(std::addressof(b), std::addressof(a));
        relocate_object(aside.place(), std::addressof(b));
    } else {
        std::ranges::swap(a, b);
    }
}

/// @brief The last of `count` objects comes to be the i-th, and those from there on move up.
/// An exception leaves those before the i-th as they were, and the others objects.
template <class T>
void bring_last_to(T* first, std::size_t i,
                   std::size_t count) noexcept(relocates_without_throwing<T> ||
                                               std::is_nothrow_swappable_v<T>) {
    if constexpr (relocates_without_throwing<T>) {
        object_room<T> aside;
        relocate_object(first + count - 1, aside.place());
        if constexpr (is_trivially_relocatable<T>)
            std::memmove(static_cast<void*>(first + i + 1), static_cast<const void*>(first + i),
                         (count - 1 - i) * sizeof(T));
        else
            for (std::size_t at = count - 1; at != i; --at)
                relocate_object(first + at - 1, first + at);
        relocate_object(aside.place(), first + i);
    } else {
        for (std::size_t at = count - 1; at != i; --at)
            std::ranges::swap(first[at - 1], first[at]);
    }
}

/// @brief The i-th of `count` objects comes to be the last, and those behind it move down.
/// An exception as above.
template <class T>
void bring_to_end(T* first, std::size_t i,
                  std::size_t count) noexcept(relocates_without_throwing<T> ||
                                              std::is_nothrow_swappable_v<T>) {
    if constexpr (relocates_without_throwing<T>) {
        object_room<T> aside;
        relocate_object(first + i, aside.place());
        if constexpr (is_trivially_relocatable<T>)
            std::memmove(static_cast<void*>(first + i), static_cast<const void*>(first + i + 1),
                         (count - 1 - i) * sizeof(T));
        else
            for (std::size_t at = i; at + 1 != count; ++at)
                relocate_object(first + at + 1, first + at);
        relocate_object(aside.place(), first + count - 1);
    } else {
        for (std::size_t at = i; at + 1 != count; ++at)
            std::ranges::swap(first[at], first[at + 1]);
    }
}

} // namespace detail
} // namespace palloc::inline v0
