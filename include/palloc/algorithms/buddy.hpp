// SPDX-License-Identifier: MIT
/// @file
/// @brief The buddy system, as a rule of placement.
///
/// When to choose it: sizes are powers of two and blocks of a size should pair up again when they
/// are freed. Nothing is split or merged: which buddy blocks are free is read off the bitmap, so it
/// works on a pool that others fill, too. Costs: a walk over all free runs, unless a block fits
/// exactly; no state.
///
/// A request that is no power of two long is placed like the next one, and leaves the rest of its
/// block free. Only where sizes are powers of two (of granules) is each block one buddy block.
///
/// Source: K. C. Knowlton, CACM 8 (1965); Knuth, TAOCP 1, 2.5.
#pragma once

#include <palloc/algorithms/detail/joint_alignment.hpp>
#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places in the smallest free buddy block of [from, limit) that holds the request and a
/// legal position, the lowest of equals.
///
/// A buddy block is 2^k granules at a multiple of 2^k from the chunk's start; a free one counts
/// where it is not part of a larger free one. Positions are multiples of the request's length,
/// rounded up to a power of two.
struct buddy {
    /// @return the lowest legal position in that block.
    /// @par Complexity O(granules / 64 + free runs * log granules)
    /// @par Thread safety as the bitmap's
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        if (q.count > q.limit)
            return std::nullopt;
        const std::size_t needed = std::bit_ceil(q.count);
        const auto paired = detail::joint_alignment(q, needed - 1, 0);
        if (!paired)
            return std::nullopt;
        std::optional<std::size_t> best;
        std::size_t smallest = std::numeric_limits<std::size_t>::max();
        for (granule_run run = bitmap.next_free_run(q.from); run.count != 0 && run.first < q.limit;
             run = bitmap.next_free_run(run.last())) {
            const std::size_t end = std::min(run.last(), q.limit);
            for (std::size_t first = run.first; end - first >= needed;) {
                const std::size_t block = largest_block(first, end);
                if (block >= needed && block < smallest) {
                    const std::size_t position = paired->first_legal_in({first, block});
                    if (position != q.limit) {
                        best = position;
                        smallest = block;
                        if (block == needed)
                            return best;
                    }
                }
                first += block;
            }
        }
        return best;
    }

  private:
    /// @brief The length of the largest buddy block that begins at `first` and ends by `end`.
    [[nodiscard]] static constexpr std::size_t largest_block(std::size_t first,
                                                             std::size_t end) noexcept {
        const std::size_t fits = std::bit_floor(end - first);
        return first == 0 ? fits : std::min(fits, first & (0 - first));
    }
};

static_assert(concurrent_algorithm_for<buddy, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
