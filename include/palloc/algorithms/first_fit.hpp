// SPDX-License-Identifier: MIT
/// @file
/// @brief The lowest address that fits.
///
/// When to choose it: by default. Keeps the upper end of a chunk free, and it is the search that
/// every bitmap does best. Costs: one `find_fit`; no state.
///
/// Source: Knuth, TAOCP 1, 2.5 method A; the kernel's gen_pool_first_fit.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <cstddef>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places at the lowest legal free position.
struct first_fit {
    static constexpr bool takes_lowest = true;

    /// @return the lowest legal free position.
    /// @par Complexity that of the bitmap's `find_fit`
    /// @par Thread safety as the bitmap's
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        return bitmap.find_fit(q);
    }
};

static_assert(concurrent_algorithm_for<first_fit, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
