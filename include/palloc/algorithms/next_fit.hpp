// SPDX-License-Identifier: MIT
/// @file
/// @brief First fit that goes on where it stopped.
///
/// When to choose it: a linear bitmap whose front is always full, or blocks that die in the order
/// in which they were made (a ring). Costs: one or two `find_fit`; 16 bytes of state, so it is not
/// callable as const and serves unshared bitmaps only.
///
/// Source: Knuth, TAOCP 1, 2.5, exercise 6 (the roving pointer).
#pragma once

#include <palloc/algorithms/detail/rotated_fit.hpp>
#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places at the lowest legal free position behind the previous block, else at the lowest.
///
/// Remembers one place, in the chunk where it last found room; another chunk is searched from its
/// front.
class next_fit {
  public:
    /// @return the position, which the next search will begin behind.
    /// @par Complexity two of the bitmap's `find_fit`
    /// @par Thread safety none
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) noexcept {
        const auto found = detail::rotated_fit(bitmap, q, q.base == base_ ? next_ : q.from);
        if (found) {
            base_ = q.base;
            next_ = *found + q.count;
        }
        return found;
    }

  private:
    address base_ = 0;
    std::size_t next_ = 0;
};

static_assert(algorithm_for<next_fit, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
