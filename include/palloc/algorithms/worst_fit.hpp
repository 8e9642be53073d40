// SPDX-License-Identifier: MIT
/// @file
/// @brief The longest free run.
///
/// When to choose it: what is left beside a block should be large, because blocks grow in place.
/// Fragments more than best_fit in most programs. Costs: O(1) in a bitmap that knows its longest
/// run and where that run serves, else a walk over all free runs; no state.
///
/// Source: P. R. Wilson et al., "Dynamic storage allocation: a survey", 1995, section 3.4.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places in the longest free run of [from, limit) that has a legal position, the lowest of
/// equals; runs are measured inside that range.
struct worst_fit {
    /// @return the first legal position of that run.
    /// @par Complexity the bitmap's `longest_free_run`, else O(granules / 64 + free runs)
    /// @par Thread safety as the bitmap's
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        if constexpr (bitmap_knows_longest<Bitmap>) {
            const granule_run longest = bitmap.longest_free_run();
            if (longest.count < q.count)
                return std::nullopt;
            // No run can be longer, and no lower one as long, if the range cuts nothing off it.
            if (longest.first >= q.from && longest.last() <= q.limit)
                if (const std::size_t position = q.first_legal_in(longest); position != q.limit)
                    return position;
        }
        std::optional<std::size_t> worst;
        std::size_t largest = 0;
        for (granule_run run = bitmap.next_free_run(q.from); run.count != 0 && run.first < q.limit;
             run = bitmap.next_free_run(run.last())) {
            const std::size_t granules = std::min(run.count, q.limit - run.first);
            if (granules <= largest)
                continue;
            const std::size_t position = q.first_legal_in(run);
            if (position == q.limit)
                continue;
            worst = position;
            largest = granules;
        }
        return worst;
    }
};

static_assert(concurrent_algorithm_for<worst_fit, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
