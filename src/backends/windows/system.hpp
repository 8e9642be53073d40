// SPDX-License-Identifier: MIT
/// @file
/// @brief The system's header, with as few of its macros as possible, and what is younger than it.
#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN // NOLINT(readability-identifier-naming): the system's name
#endif
#ifndef NOMINMAX
#define NOMINMAX // NOLINT(readability-identifier-naming)
#endif
#include <windows.h>

#undef near
#undef far

namespace palloc::inline v0::os {

// Placeholders, Windows 10 1803.
inline constexpr unsigned long reserve_placeholder = 0x40000; ///< MEM_RESERVE_PLACEHOLDER
inline constexpr unsigned long replace_placeholder = 0x4000;  ///< MEM_REPLACE_PLACEHOLDER
inline constexpr unsigned long preserve_placeholder = 0x2;    ///< MEM_PRESERVE_PLACEHOLDER

/// @brief MEM_ADDRESS_REQUIREMENTS and the MEM_EXTENDED_PARAMETER that carries it.
struct address_requirements {
    void* lowest;
    void* highest; ///< the last byte
    std::size_t alignment;
};
struct extended_parameter {
    unsigned long long type = 1; ///< address requirements
    void* pointer;
};
static_assert(sizeof(extended_parameter) == 16);

} // namespace palloc::inline v0::os
