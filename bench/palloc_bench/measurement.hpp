// SPDX-License-Identifier: MIT
/// @file
/// @brief One replay of one trace on one composition, in a process of its own.
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

#include "composition.hpp"
#include "replayer.hpp"
#include "trace.hpp"

namespace palloc::bench {

struct measurement {
    static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

    replay_outcome outcome;
    std::uint64_t peak_bytes = 0;   ///< growth of touched pages, data and metadata together
    double fragmentation = unknown; ///< when most bytes were live
};

/// @brief What `pool` needs for `program`, or in words what it did instead of finishing: crashed,
///   hung, or damaged a block.
///
/// A single-threaded trace is replayed on one processor, the last of those allowed.
[[nodiscard]] tl::expected<measurement, std::string>
measure(const trace& program, const composition& pool, std::chrono::nanoseconds budget);

/// @brief What the harness itself takes for `program`.
[[nodiscard]] tl::expected<measurement, std::string>
measure_harness(const trace& program, std::chrono::nanoseconds budget);

/// @brief Replays without taking time, and looks for every overlap of live blocks.
[[nodiscard]] tl::expected<void, std::string> audit(const trace& program, const composition& pool,
                                                    std::chrono::nanoseconds budget);

} // namespace palloc::bench
