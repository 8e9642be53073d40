// SPDX-License-Identifier: MIT
/// @file
/// @brief Replays golden traces over genalloc and compares every answer with the kernel's.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "golden_repairs.hpp"

namespace palloc::bench {

enum class golden_mode : std::uint8_t {
    strict,   ///< the pool is to answer as the kernel does, everywhere
    repaired, ///< the pool's declared repairs are counted apart
};

/// @brief How one trace went over one bitmap.
struct golden_outcome {
    std::string bitmap = {};
    std::uint64_t operations = 0;
    std::uint64_t mismatches = 0;
    std::array<std::uint64_t, declared_repairs.size()> repairs = {}; ///< of each kind
    std::string first_mismatch = {}; ///< names the line; empty if there is none

    /// @brief Differences that are declared.
    [[nodiscard]] std::uint64_t declared() const noexcept {
        return std::accumulate(repairs.begin(), repairs.end(), std::uint64_t{0});
    }
};

/// @brief Replays one trace over every bitmap that genalloc may have.
/// @par Errors  throws `trace_error`, which names the line
[[nodiscard]] std::vector<golden_outcome> replay_golden(const std::filesystem::path& file,
                                                        golden_mode mode = golden_mode::strict);

/// @brief Replays each file and prints a line for it, with the mismatches for each bitmap.
/// @return the exit status: 1 after a mismatch, 2 after a file that is damaged or no trace.
[[nodiscard]] int run_golden(std::span<const std::string> files,
                             golden_mode mode = golden_mode::strict);

} // namespace palloc::bench
