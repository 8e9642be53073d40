// SPDX-License-Identifier: MIT
/// @file
/// @brief The smallest free run that fits.
///
/// When to choose it: mixed sizes at high occupancy; it keeps long runs for long requests. Costs: a
/// walk over all free runs, unless one fits exactly or the bitmap knows how; no state.
///
/// Source: Knuth, TAOCP 1, 2.5; the kernel's gen_pool_best_fit, tie rule and early end included.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places in the smallest free run of [from, limit) that has a legal position, the lowest of
/// equals; runs are measured inside that range.
struct best_fit {
    /// @return the first legal position of that run.
    /// @par Complexity the bitmap's `find_best`, else O(granules / 64 + free runs)
    /// @par Thread safety as the bitmap's
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        if constexpr (bitmap_finds_best<Bitmap>) {
            return bitmap.find_best(q);
        } else {
            std::optional<std::size_t> best;
            std::size_t smallest = std::numeric_limits<std::size_t>::max();
            for (granule_run run = bitmap.next_free_run(q.from);
                 run.count != 0 && run.first < q.limit; run = bitmap.next_free_run(run.last())) {
                const std::size_t granules = std::min(run.count, q.limit - run.first);
                if (granules >= smallest)
                    continue;
                const std::size_t position = q.first_legal_in(run);
                if (position == q.limit)
                    continue;
                best = position;
                smallest = granules;
                if (granules == q.count)
                    break;
            }
            return best;
        }
    }
};

static_assert(concurrent_algorithm_for<best_fit, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
