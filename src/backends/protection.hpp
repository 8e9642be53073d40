// SPDX-License-Identifier: MIT
/// @file
/// @brief Permissions in the system's words, and which parts of a region may be spoken of.
#pragma once

#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <sys/mman.h>

#include "os.hpp"

namespace palloc::inline v0::os {

[[nodiscard]] constexpr int protection_of(permissions allowed) noexcept {
    switch (allowed) {
    case permissions::none:
        return PROT_NONE;
    case permissions::read:
        return PROT_READ;
    case permissions::read_write:
        return PROT_READ | PROT_WRITE;
    case permissions::read_execute:
        return PROT_READ | PROT_EXEC;
    }
    return PROT_NONE;
}

/// @brief Whether `part` is whole pages of `where`.
[[nodiscard]] inline bool are_pages_of(range where, range part,
                                       std::uint64_t page = page_bytes()) noexcept {
    return where.contains(part) && ((part.base | part.bytes) & (page - 1)) == 0;
}

} // namespace palloc::inline v0::os
