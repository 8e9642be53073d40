// SPDX-License-Identifier: MIT
/// @file
/// @brief The search that begins in the middle of a chunk and goes round.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/placement.hpp>

#include <cstddef>
#include <optional>

namespace palloc::inline v0::detail {

/// @brief The lowest legal free position from `start` on; if there is none, the lowest before it.
/// @pre `q.count` is not 0.
/// @par Complexity two `find_fit`, which together look at each granule once (but for `q.count`).
template <chunk_bitmap Bitmap>
[[nodiscard]] std::optional<std::size_t> rotated_fit(const Bitmap& bitmap, const placement& q,
                                                     std::size_t start) noexcept {
    if (start <= q.from)
        return bitmap.find_fit(q);
    placement part = q;
    if (start < q.limit) {
        part.from = start;
        if (const auto found = bitmap.find_fit(part))
            return found;
        part.from = q.from;
        if (q.count - 1 < q.limit - start)
            part.limit = start + (q.count - 1); // what begins before start ends by here
    }
    return bitmap.find_fit(part);
}

} // namespace palloc::inline v0::detail
