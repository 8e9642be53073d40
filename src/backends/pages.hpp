// SPDX-License-Identifier: MIT
/// @file
/// @brief Whole pages of a region whose memory is given back.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cerrno>

#include <sys/mman.h>

#include "os.hpp"
#include "page_parts.hpp"

namespace palloc::inline v0::os {

/// @brief Gives the memory of private pages back, locked ones too; they read as zero afterwards.
[[nodiscard]] inline result<void> drop(range pages) noexcept {
    auto dropped = advise(pages, MADV_DONTNEED);
    if (!dropped && dropped.error().os_code == EINVAL)
        return advise(pages, MADV_DONTNEED_LOCKED);
    return dropped;
}

} // namespace palloc::inline v0::os
