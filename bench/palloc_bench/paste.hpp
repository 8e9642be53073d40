// SPDX-License-Identifier: MIT
/// @file
/// @brief A composition as C++ that can be pasted into a program.
#pragma once

#include <string>
#include <string_view>

#include "composition.hpp"

namespace palloc::bench {

/// @brief A whole source file: includes, the type, and a function that serves a container from it.
/// @param program  what it is for; becomes the pool's name
[[nodiscard]] std::string cpp_of(const composition& pool, std::string_view program);

} // namespace palloc::bench
