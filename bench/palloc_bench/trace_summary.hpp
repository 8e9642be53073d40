// SPDX-License-Identifier: MIT
/// @file
/// @brief What is in a trace: kinds of operations, sizes, lifetimes, threads, growth.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace palloc::bench {

struct trace_summary {
    static constexpr std::size_t classes = 41;

    /// @brief Blocks of up to 2^i bytes, and more than half of that.
    struct size_class {
        std::uint64_t blocks = 0;
        std::uint64_t bytes = 0;
        std::uint64_t peak_live_bytes = 0; ///< each class at its own moment
    };
    /// @brief From a block's allocation to its end, in operations of the trace.
    struct lifetimes {
        std::uint64_t to_16 = 0;
        std::uint64_t to_256 = 0;
        std::uint64_t to_4096 = 0;
        std::uint64_t to_65536 = 0;
        std::uint64_t longer = 0;
        std::uint64_t never = 0; ///< live at the end
    };

    std::string name;
    std::string program;
    std::size_t threads = 0;
    std::uint64_t operations = 0;
    std::uint64_t allocations = 0; ///< without resizes
    std::uint64_t releases = 0;
    std::uint64_t resizes = 0;
    std::uint64_t allocated_bytes = 0; ///< resizes with their whole new size
    std::uint64_t over_aligned = 0;
    std::uint64_t size_p50 = 0;
    std::uint64_t size_p90 = 0;
    std::uint64_t size_p99 = 0;
    std::uint64_t size_max = 0;
    std::array<size_class, classes> by_size{};
    lifetimes lived;
    std::uint64_t peak_live_bytes = 0;
    std::uint64_t peak_live_blocks = 0;
    std::uint64_t peak_at = 0; ///< operation at which most bytes are live
    std::uint64_t live_bytes_at_end = 0;
    std::uint64_t cross_thread = 0; ///< blocks ended by another thread than their allocating one
    std::uint64_t grown = 0;        ///< resizes to more bytes
    std::uint64_t shrunk = 0;
    std::uint64_t copied_bytes = 0;       ///< what resizes must copy at most
    std::uint64_t longest_growth = 0;     ///< resizes of one block, one after the other
    std::vector<std::uint64_t> by_thread; ///< operations
};

/// @brief The class of a size: 0 for up to 1 byte, 4 for 9 to 16.
[[nodiscard]] std::size_t size_class_of(std::uint64_t bytes) noexcept;

/// @par Errors  throws `trace_error`
[[nodiscard]] trace_summary summarize_trace(const std::filesystem::path& file);

/// @brief The same in words and tables.
[[nodiscard]] std::string text_of(const trace_summary& summary);

} // namespace palloc::bench
