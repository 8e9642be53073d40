// SPDX-License-Identifier: MIT
/// @file
/// @brief Summary of repeated measurements.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace palloc::bench {

/// @brief The value below which the share `q` of the sorted samples lies, interpolated.
/// @pre  `sorted` is not empty; 0 <= q <= 1.
[[nodiscard]] inline double quantile(const std::vector<double>& sorted, double q) {
    const double at = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

struct summary {
    double median = 0;
    double spread = 0; ///< distance of the quartiles / median
};

/// @pre  `samples` is not empty.
[[nodiscard]] inline summary summarize(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    const double median = quantile(samples, 0.5);
    const double width = quantile(samples, 0.75) - quantile(samples, 0.25);
    return {median, median > 0 ? width / median : 0};
}

} // namespace palloc::bench
