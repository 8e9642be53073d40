// SPDX-License-Identifier: MIT
/// @file
/// @brief Arithmetic wider than a register: products of 128 bits, and 64-bit numbers where
/// `std::size_t` has 32.
#pragma once

#include <palloc/core/version.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace palloc::inline v0 {

/// @brief `value`, or the largest `std::size_t` where that is smaller. Nothing where both have 64
/// bits.
[[nodiscard]] constexpr std::size_t saturated_size(std::uint64_t value) noexcept {
    constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();
    return value < largest ? static_cast<std::size_t>(value) : largest;
}

/// @brief Granules that a chunk may have, so that the sum of two positions never overflows.
inline constexpr std::size_t most_granules = std::numeric_limits<std::size_t>::max() / 2;

namespace detail {

/// @brief The upper 64 bits of `a * b + c`, from products of 32 bits.
/// @par Source  D. E. Knuth, TAOCP 2, 4.3.1 algorithm M, two digits by two.
[[nodiscard]] constexpr std::uint64_t upper_half_by_digits(std::uint64_t a, std::uint64_t b,
                                                           std::uint64_t c) noexcept {
    constexpr unsigned digit = 32;
    constexpr std::uint64_t low = 0xffffffff;
    std::uint64_t carry = (a & low) * (b & low) + (c & low); // each sum is below 2^64
    carry = (carry >> digit) + (a >> digit) * (b & low) + (c >> digit);
    const std::uint64_t cross = (a & low) * (b >> digit) + (carry & low);
    return (a >> digit) * (b >> digit) + (carry >> digit) + (cross >> digit);
}

} // namespace detail

/// @brief The upper 64 bits of `a * b + c`.
[[nodiscard]] constexpr std::uint64_t upper_half(std::uint64_t a, std::uint64_t b,
                                                 std::uint64_t c = 0) noexcept {
#ifdef __SIZEOF_INT128__
    __extension__ using wide = unsigned __int128;
    return static_cast<std::uint64_t>((wide{a} * b + c) >> 64);
#else
    return detail::upper_half_by_digits(a, b, c);
#endif
}

/// @brief Quotient and remainder of `upper * 2^64` by `divisor`. O(64).
/// @pre  `upper < divisor`.
[[nodiscard]] constexpr std::pair<std::uint64_t, std::uint64_t>
divide_upper(std::uint64_t upper, std::uint64_t divisor) noexcept {
    std::uint64_t quotient = 0;
    std::uint64_t remainder = upper;
    for (int bit = 0; bit != 64; ++bit) {
        const bool carries = remainder >> 63 != 0;
        remainder <<= 1;
        quotient <<= 1;
        if (carries || remainder >= divisor) {
            remainder -= divisor; // what was carried out of it is taken away again
            quotient |= 1;
        }
    }
    return {quotient, remainder};
}

} // namespace palloc::inline v0
