// SPDX-License-Identifier: MIT
/// @file
/// @brief Two runs of palloc-bench, cell by cell.
///
/// The ratio of a cell is the Hodges-Lehmann estimate: the median of the ratios of every sample of
/// one run to every sample of the other. Its confidence interval is that of the Mann-Whitney test,
/// exact, without an assumption about how samples are distributed. Samples are in units of what the
/// harness itself took in the same round, so that neither the machine's speed nor an error of the
/// harness's time is taken for a difference of all cells.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace palloc::bench {

/// @brief A ratio, and between which two it lies with the confidence that was asked for.
struct ratio_interval {
    double ratio = 1;
    double low = 0;
    double high = 0; ///< infinite: too few samples to say
    [[nodiscard]] bool known() const noexcept;
};

/// @brief How many times as large the samples of `b` are as those of `a`.
/// @pre  No sample is negative; neither is empty.
/// @par Complexity  O(n² · m²), at most some 10^6 steps where runs have the usual samples
[[nodiscard]] ratio_interval ratio_of(const std::vector<double>& a, const std::vector<double>& b,
                                      double confidence);

enum class change { none, faster, slower, unknown };

struct compared_cell {
    std::string name;      ///< trace/composition
    ratio_interval time;   ///< of the second run to the first, the machine's own change taken out
    ratio_interval memory; ///< of peak bytes
    change in_time = change::unknown;
    change in_memory = change::unknown; ///< faster: less
    std::string remark;                 ///< why there is no verdict
};

struct comparison {
    std::vector<compared_cell> cells;
    std::vector<std::string> only_one; ///< names that one run lacks
    std::vector<std::string> warnings; ///< other machine, other compiler
    [[nodiscard]] std::size_t count(change which) const;
};

struct comparison_options {
    double confidence = 0.99;
    double threshold = 0.03; ///< smaller changes than this share are called none
};

/// @param a,b  as `json_of` makes them
/// @par Errors  throws `std::runtime_error`: not such JSON
[[nodiscard]] comparison compare(const nlohmann::json& a, const nlohmann::json& b,
                                 const comparison_options& options);

[[nodiscard]] std::string text_of(const comparison& compared, const comparison_options& options);

} // namespace palloc::bench
