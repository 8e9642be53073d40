// SPDX-License-Identifier: MIT
/// @file
/// @brief Concept: how bytes become granules.
///
/// A *granule* is the smallest unit that a pool hands out. Its size need not be a power of two:
/// size classes such as 48 bytes are granules too.
///
/// | expression      | type            | meaning                                |
/// |-----------------|-----------------|----------------------------------------|
/// | `g.bytes()`     | `std::uint64_t` | the size of a granule, at least 1      |
/// | `g.count(n)`    | `std::size_t`   | granules that hold n bytes: ceil       |
/// | `g.index(n)`    | `std::size_t`   | granule in which byte n lies: floor    |
/// | `g.offset(i)`   | `std::uint64_t` | first byte of granule i                |
///
/// Bytes have 64 bits whatever the machine. A number of granules that `std::size_t` cannot hold is
/// its largest value, which no chunk reaches.
///
/// Minimal model: `archetypes::granularity`. Not promised: that the size is known at compile time.
#pragma once

#include <palloc/core/version.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

template <class G>
concept granularity = std::copyable<G> && requires(const G& g, std::uint64_t n) {
    { g.bytes() } noexcept -> std::same_as<std::uint64_t>;
    { g.count(n) } noexcept -> std::same_as<std::size_t>;
    { g.index(n) } noexcept -> std::same_as<std::size_t>;
    { g.offset(std::size_t{}) } noexcept -> std::same_as<std::uint64_t>;
};

} // namespace palloc::inline v0
