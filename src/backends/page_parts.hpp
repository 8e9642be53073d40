// SPDX-License-Identifier: MIT
/// @file
/// @brief Whole pages: of a request, and of parts of a region.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <bit>
#include <cstdint>

#include "seam.hpp"

namespace palloc::inline v0::os {

/// @brief The size that is asked for in whole pages.
/// @par Errors `zero_size`; `bad_alignment`; `too_large` where it overflows
[[nodiscard]] inline result<std::uint64_t> whole_pages(const map_request& wanted,
                                                       std::uint64_t page = page_bytes()) noexcept {
    if (wanted.bytes == 0)
        return fail(errc::zero_size);
    if (!std::has_single_bit(wanted.alignment))
        return fail(errc::bad_alignment);
    const auto bytes = checked_align_up<std::uint64_t>(wanted.bytes, page);
    if (!bytes)
        return fail(errc::too_large);
    return *bytes;
}

/// @brief Whether `part` is whole pages of `where`.
[[nodiscard]] inline bool are_pages_of(range where, range part,
                                       std::uint64_t page = page_bytes()) noexcept {
    return where.contains(part) && ((part.base | part.bytes) & (page - 1)) == 0;
}

/// @brief The pages that `part` touches.
[[nodiscard]] inline range pages_around(range part, std::uint64_t page = page_bytes()) noexcept {
    const address base = align_down(part.base, page);
    return {base, align_up(part.base + part.bytes, page) - base};
}

/// @brief The pages that lie wholly in `part`.
[[nodiscard]] inline range pages_inside(range part, std::uint64_t page = page_bytes()) noexcept {
    const address base = align_up(part.base, page);
    const address end = align_down(part.base + part.bytes, page);
    return {base, end > base ? end - base : 0};
}

} // namespace palloc::inline v0::os
