// SPDX-License-Identifier: MIT
/// @file
/// @brief Traces of what JIT programs did with pages of memory.
#pragma once

#include <palloc/perm_alloc/options.hpp>

#include <cstdint>
#include <filesystem>

namespace CLI {
class App;
}

namespace palloc::bench {

/// @brief What a replay came to.
struct jit_figures {
    std::uint64_t operations = 0;
    std::uint64_t changes = 0; ///< of permissions, of runs of pages
    std::uint64_t flips = 0;   ///< of those, the ones that gave or took x
    std::uint64_t rwx = 0;     ///< wishes for writable and executable pages
    std::uint64_t marks = 0;   ///< written into code, and found there
    double seconds = 0;
    perm_statistics commits;
};

/// @brief Replays a trace over a `perm_alloc`.
/// @par Errors  throws `trace_error`: no such trace, an operation that the allocator refuses, or
/// something written that is not found again
[[nodiscard]] jit_figures replay_jit_trace(const std::filesystem::path& file);

void add_jit_command(CLI::App& program);

} // namespace palloc::bench
