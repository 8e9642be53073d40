// SPDX-License-Identifier: MIT
/// @file
/// @brief The figures in Google Benchmark's JSON format, for its tools and for others.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "campaign.hpp"

namespace palloc::bench {

/// @brief One entry of `benchmarks` for each cell that was tried, named `trace/composition`.
///
/// `real_time` is the table's ns/op: the median, the harness's cost subtracted; `cpu_time` the CPU
/// time of all threads, harness included. What went wrong has `error_occurred`. Cells that were
/// skipped are listed in `context.skipped`.
///
/// Beside Google Benchmark's fields, `traces` has one entry a trace: its facts, the winner with its
/// reason and its C++.
/// @param command  that made the figures
/// @param baseline  what the others are compared with; empty: the usual one
[[nodiscard]] nlohmann::json json_of(std::span<const trace_report> reports,
                                     std::string_view command = {}, std::string_view baseline = {});

} // namespace palloc::bench
