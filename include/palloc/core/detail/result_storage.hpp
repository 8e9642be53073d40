// SPDX-License-Identifier: MIT
/// @file
/// @brief What a `result` is made of: a value, and a word that says what is wrong, 0 if nothing.
///
/// Whole words, no byte and no padding: g++ 12 puts together what a function answers in memory, and
/// loads it from there into registers. A load that is wider than the stores before it waits for
/// them, which took half of the time of a free.
#pragma once

#include <palloc/core/version.hpp>

#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace palloc::inline v0::detail {

template <class T>
inline constexpr bool is_plain_value =
    std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>;

template <class T>
struct result_storage {
    std::uint64_t wrong;
    union {
        T value; ///< there if `wrong` is 0
    };

    template <class... Arguments>
    constexpr explicit result_storage(std::in_place_t, Arguments&&... arguments)
        : wrong(0), value(std::forward<Arguments>(arguments)...) {}
    constexpr explicit result_storage(std::uint64_t what) noexcept : wrong(what) {}

    result_storage(const result_storage&)
        requires std::is_trivially_copy_constructible_v<T>
    = default;
    constexpr result_storage(const result_storage& other)
        requires(!std::is_trivially_copy_constructible_v<T> && std::is_copy_constructible_v<T>)
        : wrong(other.wrong) {
        if (wrong == 0)
            std::construct_at(std::addressof(value), other.value);
    }
    result_storage(result_storage&&)
        requires std::is_trivially_move_constructible_v<T>
    = default;
    constexpr result_storage(result_storage&& other) noexcept(
        std::is_nothrow_move_constructible_v<T>)
        requires(!std::is_trivially_move_constructible_v<T>)
        : wrong(other.wrong) {
        if (wrong == 0)
            std::construct_at(std::addressof(value), std::move(other.value));
    }

    result_storage& operator=(const result_storage&)
        requires std::is_trivially_copyable_v<T>
    = default;
    constexpr result_storage& operator=(const result_storage& other)
        requires(!std::is_trivially_copyable_v<T> && std::is_copy_constructible_v<T> &&
                 std::is_nothrow_move_constructible_v<T>)
    {
        if (this != &other)
            *this = result_storage(other);
        return *this;
    }
    result_storage& operator=(result_storage&&)
        requires std::is_trivially_copyable_v<T>
    = default;
    constexpr result_storage& operator=(result_storage&& other) noexcept
        requires(!std::is_trivially_copyable_v<T> && std::is_nothrow_move_constructible_v<T>)
    {
        if (this == &other)
            return *this;
        if (wrong == 0)
            std::destroy_at(std::addressof(value));
        wrong = other.wrong;
        if (wrong == 0)
            std::construct_at(std::addressof(value), std::move(other.value));
        return *this;
    }

    ~result_storage()
        requires std::is_trivially_destructible_v<T>
    = default;
    constexpr ~result_storage()
        requires(!std::is_trivially_destructible_v<T>)
    {
        if (wrong == 0)
            std::destroy_at(std::addressof(value));
    }
};

template <class T>
    requires is_plain_value<T>
struct result_storage<T> {
    T value{};
    std::uint64_t wrong = 0;

    template <class... Arguments>
    constexpr explicit result_storage(std::in_place_t, Arguments&&... arguments)
        : value(std::forward<Arguments>(arguments)...) {}
    constexpr explicit result_storage(std::uint64_t what) noexcept : wrong(what) {}
};

template <>
struct result_storage<void> {
    std::uint64_t wrong = 0;

    constexpr explicit result_storage(std::in_place_t) noexcept {}
    constexpr explicit result_storage(std::uint64_t what) noexcept : wrong(what) {}
};

} // namespace palloc::inline v0::detail
