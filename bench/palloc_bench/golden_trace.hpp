// SPDX-License-Identifier: MIT
/// @file
/// @brief A golden trace: operations on one genalloc pool, with the answers that the kernel gave.
///
/// tests/golden/README.md describes the format.
#pragma once

#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <variant>
#include <vector>

namespace palloc::bench {

enum class golden_algorithm : std::uint8_t {
    first_fit,
    first_fit_align,
    first_fit_order_align,
    best_fit,
    fixed,
};

/// @brief The operations; members named `answer` are the kernel's.
namespace golden {
struct add {
    address base;
    std::uint64_t bytes;
    address physical;
};
struct allocate {
    std::size_t block; ///< blocks are counted from 0 as they appear
    std::uint64_t bytes;
    std::uint64_t data; ///< of the algorithm; a negative number wraps
    address answer;     ///< 0: failed, or the block at address 0
};
struct release {
    std::size_t block;
    std::uint64_t bytes; ///< as they were asked for
};
struct totals {
    std::uint64_t avail_answer;
    std::uint64_t size_answer;
};
struct has_addr {
    address start;
    std::uint64_t bytes;
    bool answer;
};
struct virt_to_phys {
    address place;
    address answer; ///< all ones: none
};
using operation = std::variant<add, allocate, release, totals, has_addr, virt_to_phys>;
} // namespace golden

struct golden_trace {
    static constexpr std::size_t header_lines = 2; ///< each line behind them is one operation

    unsigned order = 0;
    golden_algorithm algorithm = golden_algorithm::first_fit;
    std::size_t blocks = 0;
    std::vector<golden::operation> operations;
};

/// @brief Reads a trace whole, gzipped or not. Nothing is taken on trust.
/// @par Errors  throws `trace_error`, which names the line
[[nodiscard]] golden_trace read_golden_trace(const std::filesystem::path& file);

} // namespace palloc::bench
