// SPDX-License-Identifier: MIT
/// @file
/// @brief Two alignments at once.
#pragma once

#include <palloc/core/placement.hpp>
#include <palloc/core/wide.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0::detail {

/// @brief The request whose legal positions are those of `q` with `((p + phase) & mask) == 0`; none
/// where the two contradict each other.
/// @pre `mask + 1` is a power of two.
[[nodiscard]] constexpr std::optional<placement> joint_alignment(placement q, std::uint64_t mask,
                                                                 std::uint64_t phase) noexcept {
    if (mask > most_granules) // a chunk has no more than one such position
        return q.pin((0 - phase) & mask) ? std::optional(q) : std::nullopt;
    if (((q.phase ^ phase) & std::min<std::uint64_t>(q.mask, mask)) != 0)
        return std::nullopt;
    if (mask > q.mask) { // the stricter of two congruences that agree implies the other
        q.mask = static_cast<std::size_t>(mask);
        q.phase = static_cast<std::size_t>(phase);
    }
    return q;
}

} // namespace palloc::inline v0::detail
