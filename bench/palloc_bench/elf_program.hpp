// SPDX-License-Identifier: MIT
/// @file
/// @brief What a program file is, as far as it decides whether the recorder can be loaded into it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace palloc::bench {

/// @brief The file that `execvp(name)` would run, or nothing.
[[nodiscard]] std::optional<std::filesystem::path> find_program(const std::string& name);

/// @brief In words why no library can be loaded in front of the program's allocator, or nothing:
///   set-uid, statically linked, of another machine. A script counts as its interpreter.
[[nodiscard]] std::optional<std::string> why_not_recordable(const std::filesystem::path& program);

} // namespace palloc::bench
