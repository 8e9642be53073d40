// SPDX-License-Identifier: MIT
/// @file
/// @brief The subcommands of palloc-bench, one file each.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace palloc::bench {

/// @brief The arguments, or what they name, cannot be used: exit status 2.
class usage_error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct composition;

/// @brief Those whose name contains a match of the regular expression.
/// @par Errors  throws `usage_error`: no expression, or none matches
[[nodiscard]] std::vector<const composition*> compositions_matching(const std::string& regex);

/// @brief The traces that come with palloc, by name.
/// @par Errors  throws `usage_error` where there are none
[[nodiscard]] std::vector<std::filesystem::path> bundled_traces();

void add_replay_command(CLI::App& program, int& status);
/// @param status  becomes that of the recorded program
void add_record_command(CLI::App& program, int& status);
void add_import_command(CLI::App& program);
void add_trace_command(CLI::App& program);
void add_compare_command(CLI::App& program);
void add_list_command(CLI::App& program);
/// @param status  where the exit status goes that the replay came to
void add_golden_command(CLI::App& program, int& status);
/// @param status  becomes a failure where a benchmark fails, or a bar is missed that must be held
void add_micro_command(CLI::App& program, int& status);

} // namespace palloc::bench
