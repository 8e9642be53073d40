// SPDX-License-Identifier: MIT
/// @file
/// @brief The figures as tables for a terminal.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "campaign.hpp"

namespace palloc::bench {

/// @brief A table of all compositions on one trace.
/// @param baseline  name; the composition with which times are compared; empty: the usual one
[[nodiscard]] std::string table_of(const trace_report& report, std::string_view baseline = {});

/// @brief Percentiles of single calls, of those compositions of which they were taken; or nothing.
[[nodiscard]] std::string latency_table_of(const trace_report& report);

/// @brief The processor's counters an operation, likewise.
[[nodiscard]] std::string perf_table_of(const trace_report& report);

/// @brief Who failed first, where anybody failed; or nothing.
[[nodiscard]] std::string failures_of(const trace_report& report);

/// @brief The winners of each trace, and how the presets did against the baselines.
[[nodiscard]] std::string conclusion_of(std::span<const trace_report> reports);

} // namespace palloc::bench
