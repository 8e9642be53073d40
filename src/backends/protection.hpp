// SPDX-License-Identifier: MIT
/// @file
/// @brief Permissions in the system's words.
#pragma once

#include <palloc/core/permissions.hpp>

#include <sys/mman.h>

#include "page_parts.hpp"

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

} // namespace palloc::inline v0::os
