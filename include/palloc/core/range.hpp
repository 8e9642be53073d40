// SPDX-License-Identifier: MIT
/// @file
/// @brief Addresses and ranges of addresses. Numbers, not pointers: the pool never dereferences
/// one.
#pragma once

#include <palloc/core/version.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief A place in some address space, which need not be this process's.
using address = std::uint64_t;

/// @brief `bytes` bytes from `base` on. May end exactly at 2^64.
struct range {
    address base = 0;
    std::uint64_t bytes = 0;

    /// @brief Whether `inner` lies wholly inside. Never wraps: all is measured from `base`.
    [[nodiscard]] constexpr bool contains(range inner) const noexcept {
        const std::uint64_t distance = inner.base - base;
        return inner.base >= base && distance <= bytes && inner.bytes <= bytes - distance;
    }

    /// @brief Whether the byte at `place` lies inside.
    [[nodiscard]] constexpr bool contains(address place) const noexcept {
        return place - base < bytes; // wraps to a huge distance when place is below base
    }

    /// @brief Whether the two share a byte.
    [[nodiscard]] constexpr bool overlaps(range other) const noexcept {
        if (bytes == 0 || other.bytes == 0)
            return false;
        return contains(other.base) || other.contains(base);
    }

    friend constexpr bool operator==(range, range) = default;
};

/// @brief Bits that an address of a process has, where it asks for no higher ones.
#if defined(__aarch64__)
inline constexpr unsigned process_address_bits = 48;
#else
inline constexpr unsigned process_address_bits = sizeof(void*) == 4 ? 32 : 47;
#endif

/// @brief Where the object lies. By `std::uintptr_t`: a shorter pointer that is made a longer
/// number at once is extended by its sign.
[[nodiscard]] inline address address_of(const volatile void* object) noexcept {
    return reinterpret_cast<std::uintptr_t>(object);
}

/// @brief No wish as to the place.
inline constexpr range anywhere{0, ~std::uint64_t{0}};

} // namespace palloc::inline v0
