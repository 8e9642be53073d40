// SPDX-License-Identifier: MIT
/// @file
/// @brief Runs a program under the recorder, and writes what it allocates as heap traces.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "trace_writer.hpp"

namespace palloc::bench {

struct recording_options {
    std::filesystem::path file;       ///< where the program's trace goes
    std::vector<std::string> command; ///< program and arguments
    bool follow = false;              ///< child processes too, each to a file of its own
};

/// @brief One program that one process executed.
struct recorded_program {
    std::filesystem::path file;
    int process = 0;
    trace_writer::totals totals;
};

struct recording {
    int wait_status = 0;                    ///< of the program, as `waitpid` tells it
    bool has_own = false;                   ///< whether the program itself wrote a trace
    std::vector<recorded_program> programs; ///< those that allocated anything; its own comes first
    /// Why the program itself could not be recorded, where it executed another in its place that
    /// the recorder cannot be loaded into; empty where that is not so.
    std::string why_not_own;
    std::vector<std::string> missed; ///< the same of what it and its children started
};

/// @brief The file of a child process: the process's number before the suffix.
[[nodiscard]] std::filesystem::path followed_name(const std::filesystem::path& file, int process,
                                                  int program);

/// @brief Returns when the program has ended, and with `follow` all that descend from it.
///
/// Signals that are sent to this process go on to the program. What a crash leaves in the ring is
/// read all the same. Where the program executes another in its place, the trace is of the last
/// one; with `follow` the former have files of their own. Programs that cannot be recorded and were
/// executed by ones that can are named in the result.
/// @par Errors  throws `usage_error`: no such program, or one that cannot be recorded;
///   `trace_error`: the trace cannot be written (the program runs on to its end);
///   `std::system_error`
[[nodiscard]] recording record(const recording_options& options);

} // namespace palloc::bench
