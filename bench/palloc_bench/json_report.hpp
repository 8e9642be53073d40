// SPDX-License-Identifier: MIT
/// @file
/// @brief The figures in Google Benchmark's JSON format, for its tools and for others.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "campaign.hpp"

namespace palloc::bench {

/// @brief One entry of `benchmarks` for each cell that was tried, named `trace/composition`.
///
/// `real_time` is the table's ns/op: the median, the harness's cost subtracted; `cpu_time` the CPU
/// time of all threads, harness included. What went wrong has `error_occurred`. Cells that were
/// skipped are listed in `context.skipped`.
[[nodiscard]] nlohmann::json json_of(std::span<const trace_report> reports);

} // namespace palloc::bench
