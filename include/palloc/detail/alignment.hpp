// SPDX-License-Identifier: MIT
/// @file
/// @brief Alignment and address ranges, translated from addresses to positions in a chunk.
#pragma once

#include <palloc/concepts/granularity.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/wide.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::detail {

/// @brief The inverse of an odd number modulo 2^64, by Newton's iteration.
[[nodiscard]] constexpr std::uint64_t inverse_of_odd(std::uint64_t odd) noexcept {
    std::uint64_t inverse = odd; // right in the lowest 3 bits; each step doubles them
    for (int right = 3; right < 64; right *= 2)
        inverse *= 2 - odd * inverse;
    return inverse;
}

/// @brief The largest power of two that divides every block's address in a chunk at `base`.
[[nodiscard]] constexpr std::uint64_t natural_alignment(address base,
                                                        std::uint64_t granule_bytes) noexcept {
    const std::uint64_t both = base | granule_bytes;
    return both & (0 - both);
}

/// @brief Restricts `q` to positions p with `((p + phase) & mask) == 0`. Answers false where there
/// are none.
/// @pre  `mask + 1` is a power of two; no other alignment is asked for in `q` yet.
[[nodiscard]] constexpr bool align_positions(placement& q, std::uint64_t mask,
                                             std::uint64_t phase) noexcept {
    if (mask <= most_granules) {
        q.mask = static_cast<std::size_t>(mask);
        q.phase = static_cast<std::size_t>(phase) & q.mask;
        return true;
    }
    // A chunk has no more than one such position, and sums of two could overflow.
    return q.pin((0 - phase) & mask);
}

/// @brief Restricts `q` to positions whose address is a multiple of `alignment`, for granules of
/// any size: with g = 2^k * odd the condition on p is one on p modulo a power of two, because an
/// odd number can be inverted there. Answers false where no position is aligned.
/// @pre  `alignment` is a power of two.
[[nodiscard]] constexpr bool align(placement& q, std::uint64_t alignment) noexcept {
    const auto k = static_cast<unsigned>(std::countr_zero(q.granule_bytes));
    const std::uint64_t step = std::uint64_t{1} << k;
    if (q.base % (alignment < step ? alignment : step) != 0)
        return false;
    if (alignment <= step)
        return true;
    return align_positions(q, (alignment >> k) - 1,
                           (q.base >> k) * inverse_of_odd(q.granule_bytes >> k));
}

/// @brief Restricts `q` to blocks that lie wholly inside `within`. Answers false where none can.
template <granularity Granule>
[[nodiscard]] constexpr bool restrict_to(placement& q, range within,
                                         const Granule& granule) noexcept {
    if (within.base > q.base) {
        const std::size_t from = granule.count(within.base - q.base);
        q.from = q.from < from ? from : q.from;
    } else if (q.base - within.base >= within.bytes) {
        return false;
    }
    const std::uint64_t end = within.base - q.base + within.bytes; // relative to the chunk
    if (within.bytes != ~std::uint64_t{0} && end != 0) {           // 0: 2^64
        const std::size_t limit = granule.index(end);
        q.limit = q.limit < limit ? q.limit : limit;
    }
    return q.from <= q.limit && q.count <= q.limit - q.from;
}

} // namespace palloc::inline v0::detail
