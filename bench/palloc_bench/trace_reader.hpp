// SPDX-License-Identifier: MIT
/// @file
/// @brief Reads and checks a heap trace; the format is described in bench/traces/README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "gzip_lines.hpp"
#include "trace.hpp"

namespace palloc::bench {

/// @brief The second line of a trace.
struct trace_header {
    std::string program;
    std::uint64_t threads = 0;
    std::uint64_t operations = 0;
    std::uint64_t peak_live_bytes = 0;
    std::uint64_t peak_live_blocks = 0;
};

/// @brief The name under which a file's figures are reported.
[[nodiscard]] std::string trace_name(const std::filesystem::path& file);

/// @par Errors  throws `trace_error`
[[nodiscard]] trace_header read_trace_header(const std::filesystem::path& file);

/// @brief One line of a trace as it stands there.
struct trace_line {
    operation_kind kind = operation_kind::allocate;
    std::uint64_t id = 0;  ///< of the block that is made, or released
    std::uint64_t old = 0; ///< resize: of the block that is gone
    std::uint64_t bytes = 0;
    std::uint64_t alignment = 16; ///< allocate
    std::size_t thread = 0;
};

/// @brief Reads a trace whole; nothing is taken on trust, counts and peaks of the header included.
/// @param see  called with every line, once it is found right
/// @par Errors  throws `trace_error`
[[nodiscard]] trace read_trace(const std::filesystem::path& file,
                               const std::function<void(const trace_line&)>& see = {});

} // namespace palloc::bench
