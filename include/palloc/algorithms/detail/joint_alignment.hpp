// SPDX-License-Identifier: MIT
/// @file
/// @brief Two alignments at once.
#pragma once

#include <palloc/core/placement.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>

namespace palloc::inline v0::detail {

/// @brief The request whose legal positions are those of `q` with `((p + phase) & mask) == 0`; none
/// where the two contradict each other.
/// @pre `mask + 1` is a power of two.
[[nodiscard]] constexpr std::optional<placement> joint_alignment(placement q, std::size_t mask,
                                                                 std::size_t phase) noexcept {
    if (((q.phase ^ phase) & std::min(q.mask, mask)) != 0)
        return std::nullopt;
    if (mask > q.mask) { // the stricter of two congruences that agree implies the other
        q.mask = mask;
        q.phase = phase;
    }
    return q;
}

} // namespace palloc::inline v0::detail
