// SPDX-License-Identifier: MIT
/// @file
/// @brief What is promised of measured figures, and whether it is held.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace palloc::bench::micro {

/// @brief What the repetitions of one benchmark gave.
struct samples {
    std::vector<double> ns; ///< per operation
    std::map<std::string, std::vector<double>> counters = {};
};

/// @brief By the benchmark's name.
using figures = std::map<std::string, samples>;

/// @brief One number of one benchmark: the median of its times in ns, or the largest value of a
/// counter.
struct reading {
    std::string benchmark;
    std::string counter = {};
};

/// @return nothing where it was not measured
[[nodiscard]] std::optional<double> read(const figures& measured, const reading& wanted);

enum class demand { at_least, at_most, none };

/// @brief A promise: (value - minus) / per is at least, or at most, so much.
struct bar {
    std::string text;
    demand wanted = demand::none; ///< none: the figure is only shown
    double limit = 0;
    std::string unit = {}; ///< goes behind numbers
    reading value;
    std::optional<reading> minus = {};
    std::optional<reading> per = {};

    [[nodiscard]] std::vector<reading> readings() const;
};

enum class verdict { held, missed, shown, not_measured };
[[nodiscard]] std::string_view to_string(verdict answer);

struct judgement {
    verdict answer = verdict::not_measured;
    double figure = 0;
};

/// @brief A figure that is no number, as after a division by zero, has missed.
[[nodiscard]] judgement judge(const bar& promise, const figures& measured);

/// @brief A line with the verdict, and one for each benchmark that it rests on.
[[nodiscard]] std::string report(const bar& promise, const figures& measured);

} // namespace palloc::bench::micro
