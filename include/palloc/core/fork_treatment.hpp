// SPDX-License-Identifier: MIT
/// @file
/// @brief What a child of fork finds of memory.
#pragma once

#include <palloc/core/version.hpp>

#include <cstdint>
#include <string_view>

namespace palloc::inline v0 {

/// @brief What a child of fork finds where the parent has memory.
enum class fork_treatment : std::uint8_t {
    copied,    ///< its own copy
    shared,    ///< the same memory: what either writes, both see
    read_only, ///< the same memory in views that may not be written; no others
    absent,    ///< nothing: an access faults
    wiped,     ///< its own memory, zeroed
};

/// @brief The name, as it is spelled in the source.
[[nodiscard]] constexpr std::string_view to_string(fork_treatment treatment) noexcept {
    switch (treatment) {
    case fork_treatment::copied:
        return "copied";
    case fork_treatment::shared:
        return "shared";
    case fork_treatment::read_only:
        return "read_only";
    case fork_treatment::absent:
        return "absent";
    case fork_treatment::wiped:
        return "wiped";
    }
    return "unknown";
}

} // namespace palloc::inline v0
