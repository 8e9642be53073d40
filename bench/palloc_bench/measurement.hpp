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
#include "inspection.hpp"
#include "latency.hpp"
#include "perf_counters.hpp"
#include "replayer.hpp"
#include "trace.hpp"

namespace palloc::bench {

struct measurement {
    static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

    replay_outcome outcome;
    std::uint64_t peak_bytes = 0;   ///< growth of touched pages, data and metadata together
    double fragmentation = unknown; ///< when most bytes were live
    perf_figures perf;              ///< where they were asked for
};

struct measuring_options {
    std::chrono::nanoseconds budget{0};
    std::uint64_t limit_bytes = 0; ///< not 0: all the memory that the allocator gets
    bool perf = false;
};

/// @brief What an audit saw of refused requests.
struct refusals {
    std::uint64_t full = 0;
    std::uint64_t fragmented = 0;
};

/// @brief What `pool` needs for `program`, or in words what it did instead of finishing: crashed,
///   hung, or damaged a block.
///
/// A single-threaded trace is replayed on one processor, the last of those allowed.
[[nodiscard]] tl::expected<measurement, std::string>
measure(const trace& program, const composition& pool, const measuring_options& options);

/// @brief What the harness itself takes for `program`.
[[nodiscard]] tl::expected<measurement, std::string>
measure_harness(const trace& program, std::chrono::nanoseconds budget);

/// @brief Replays without taking time, and looks for every overlap of live blocks.
[[nodiscard]] tl::expected<refusals, std::string>
audit(const trace& program, const composition& pool, const measuring_options& options);

/// @brief Replays with a look at the cycle counter around every call.
[[nodiscard]] tl::expected<latency_report, std::string>
measure_latency(const trace& program, const composition& pool, const measuring_options& options);

/// @brief Replays without taking time, and looks at memory over the run and at where blocks lie.
[[nodiscard]] tl::expected<inspection, std::string>
inspect(const trace& program, const composition& pool, const measuring_options& options);

} // namespace palloc::bench
