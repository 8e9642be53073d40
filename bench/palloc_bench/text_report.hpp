// SPDX-License-Identifier: MIT
/// @file
/// @brief The figures as tables for a terminal.
#pragma once

#include <span>
#include <string>

#include "campaign.hpp"

namespace palloc::bench {

/// @brief A table of all compositions on one trace.
[[nodiscard]] std::string table_of(const trace_report& report);

/// @brief The winners of each trace, and how the presets did against the baselines.
[[nodiscard]] std::string conclusion_of(std::span<const trace_report> reports);

} // namespace palloc::bench
