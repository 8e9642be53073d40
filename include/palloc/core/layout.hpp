// SPDX-License-Identifier: MIT
/// @file
/// @brief Size and alignment, and arithmetic on them that says when it would overflow.
#pragma once

#include <palloc/core/version.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @brief `a + b`, or nothing where it overflows.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) noexcept {
    T sum{};
    if (__builtin_add_overflow(a, b, &sum))
        return std::nullopt;
    return sum;
}

/// @brief `a * b`, or nothing where it overflows.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_multiply(T a, T b) noexcept {
    T product{};
    if (__builtin_mul_overflow(a, b, &product))
        return std::nullopt;
    return product;
}

/// @brief `value` rounded up to a multiple of `alignment`, or nothing where it overflows.
/// @pre  `alignment` is a power of two.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_align_up(T value, T alignment) noexcept {
    const auto padded = checked_add(value, static_cast<T>(alignment - 1));
    if (!padded)
        return std::nullopt;
    return static_cast<T>(*padded & ~(alignment - 1));
}

/// @brief `value` rounded up to a multiple of `alignment`.
/// @pre  `alignment` is a power of two, and the result fits.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T align_up(T value, T alignment) noexcept {
    return static_cast<T>((value + (alignment - 1)) & ~(alignment - 1));
}

/// @brief `value` rounded down to a multiple of `alignment`.
/// @pre  `alignment` is a power of two.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T align_down(T value, T alignment) noexcept {
    return static_cast<T>(value & ~(alignment - 1));
}

/// @brief Whether `value` is a power of two. (`std::has_single_bit` counts bits, which is a call on
/// processors that are not told to have an instruction for it.)
[[nodiscard]] constexpr bool is_power_of_two(std::uint64_t value) noexcept {
    return value != 0 && (value & (value - 1)) == 0;
}

/// @brief Whether `alignment` is a power of two and `where` a multiple of it.
[[nodiscard]] constexpr bool has_alignment(std::uint64_t where, std::uint64_t alignment) noexcept {
    return ((where | alignment) & (alignment - 1)) == 0 && alignment != 0;
}

/// @brief The size of an object in bytes and the alignment that its address needs.
struct layout {
    std::uint64_t bytes = 0;
    std::uint64_t alignment = 1;

    /// @brief The layout of one `T`.
    template <class T>
    [[nodiscard]] static constexpr layout of() noexcept {
        return {sizeof(T), alignof(T)};
    }

    /// @brief The layout of `count` objects of `T` in a row, or nothing where the size overflows.
    template <class T>
    [[nodiscard]] static constexpr std::optional<layout> array_of(std::uint64_t count) noexcept {
        const auto bytes = checked_multiply<std::uint64_t>(count, sizeof(T));
        if (!bytes)
            return std::nullopt;
        return layout{*bytes, alignof(T)};
    }

    /// @brief Whether the alignment is a power of two.
    [[nodiscard]] constexpr bool valid() const noexcept { return is_power_of_two(alignment); }

    /// @brief The same with the size rounded up to the alignment, or nothing where it overflows.
    [[nodiscard]] constexpr std::optional<layout> padded() const noexcept {
        const auto rounded = checked_align_up(bytes, alignment);
        if (!rounded)
            return std::nullopt;
        return layout{*rounded, alignment};
    }

    friend constexpr bool operator==(layout, layout) = default;
};

} // namespace palloc::inline v0
