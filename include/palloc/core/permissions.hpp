// SPDX-License-Identifier: MIT
/// @file
/// @brief What may be done to memory.
#pragma once

#include <palloc/core/version.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief Access to pages. A value that is both writable and executable does not exist.
enum class permissions : std::uint8_t { none = 0, read = 1, read_write = 3, read_execute = 5 };

/// @brief Whether stores are allowed.
[[nodiscard]] constexpr bool writable(permissions p) noexcept {
    return p == permissions::read_write;
}

/// @brief Whether instructions may be fetched.
[[nodiscard]] constexpr bool executable(permissions p) noexcept {
    return p == permissions::read_execute;
}

} // namespace palloc::inline v0
