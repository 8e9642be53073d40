// SPDX-License-Identifier: MIT
/// @file
/// @brief Experiments, carried out by Google Benchmark.
#pragma once

#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "bar.hpp"
#include "question.hpp"

namespace palloc::bench::micro {

struct outcome {
    figures measured;
    std::map<std::string, std::string> failed = {};  ///< the experiments that threw, and what
    std::map<std::string, std::string> skipped = {}; ///< those that threw `not_on_this_machine`
};

/// @brief Measures all, their repetitions interleaved at random: a loud minute is then everybody's.
/// @param table  gets the least and the median of each
/// @param json_file  gets everything, in Google Benchmark's format; may be null
[[nodiscard]] outcome measure(const std::vector<experiment>& experiments, std::ostream& table,
                              std::ostream* json_file = nullptr);

} // namespace palloc::bench::micro
