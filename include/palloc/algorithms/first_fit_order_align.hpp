// SPDX-License-Identifier: MIT
/// @file
/// @brief First fit at multiples of the request's own length, rounded up to a power of two.
///
/// When to choose it: genalloc, or hardware that wants naturally aligned blocks relative to the
/// start of its memory. The chunk's base plays no part. Costs: one `find_fit`; no state.
///
/// Source: the behaviour of gen_pool_first_fit_order_align.
#pragma once

#include <palloc/algorithms/detail/joint_alignment.hpp>
#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <bit>
#include <cstddef>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places at the lowest legal free multiple of 2^ceil(log2 count) granules from the chunk's
/// start; takes `count` granules, not the rounded number.
struct first_fit_order_align {
    /// @return the position.
    /// @par Complexity that of the bitmap's `find_fit`
    /// @par Thread safety as the bitmap's
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        if (q.count > q.limit) // also keeps bit_ceil in its domain
            return std::nullopt;
        const auto aligned = detail::joint_alignment(q, std::bit_ceil(q.count) - 1, 0);
        return aligned ? bitmap.find_fit(*aligned) : std::nullopt;
    }
};

static_assert(concurrent_algorithm_for<first_fit_order_align, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
