// SPDX-License-Identifier: MIT
/// @file
/// @brief Whole pages of a region, and their memory given back.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <cerrno>
#include <cstdint>

#include <sys/mman.h>

#include "os.hpp"

namespace palloc::inline v0::os {

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

/// @brief Gives the memory of private pages back, locked ones too; they read as zero afterwards.
[[nodiscard]] inline result<void> drop(range pages) noexcept {
    auto dropped = advise(pages, MADV_DONTNEED);
    if (!dropped && dropped.error().os_code == EINVAL)
        return advise(pages, MADV_DONTNEED_LOCKED);
    return dropped;
}

} // namespace palloc::inline v0::os
