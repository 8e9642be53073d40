// SPDX-License-Identifier: MIT
#include "comparison.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "statistics.hpp"

namespace palloc::bench {
namespace {

using nlohmann::json;

constexpr double infinite = std::numeric_limits<double>::infinity();
/// Below this many nanoseconds a difference is one of the harness.
constexpr double least_ns = 0.1;
constexpr std::size_t most_samples = 64;

/// How many of all orders of n and m samples have the statistic U: exact, by the recurrence over
/// which run the largest sample is of.
std::vector<double> orders_by_u(std::size_t n, std::size_t m) {
    // ways[j] while i grows: of i samples of one and j of the other.
    std::vector<std::vector<double>> ways(m + 1, std::vector<double>{1});
    for (std::size_t i = 1; i <= n; ++i) {
        ways[0] = {1};
        for (std::size_t j = 1; j <= m; ++j) {
            std::vector<double> next(i * j + 1);
            for (std::size_t u = 0; u != ways[j].size(); ++u)
                next[u + j] += ways[j][u];
            for (std::size_t u = 0; u != ways[j - 1].size(); ++u)
                next[u] += ways[j - 1][u];
            ways[j] = std::move(next);
        }
    }
    return ways[m];
}

/// How many of the smallest and of the largest ratios lie outside of the interval; 0: none may.
std::size_t outside(std::size_t n, std::size_t m, double confidence) {
    const std::vector<double> orders = orders_by_u(n, m);
    double all = 0;
    for (const double each : orders)
        all += each;
    const double most = all * (1 - confidence) / 2;
    double sum = 0;
    std::size_t count = 0;
    while (count != orders.size() && (sum += orders[count]) <= most)
        ++count;
    return count;
}

std::vector<double> thinned(std::vector<double> samples) {
    if (samples.size() > most_samples)
        samples.resize(most_samples);
    return samples;
}

std::vector<double> numbers(const json& entry, const char* name) {
    const auto found = entry.find(name);
    return found == entry.end() ? std::vector<double>{} : found->get<std::vector<double>>();
}

std::map<std::string, json> by_name(const json& run) {
    std::map<std::string, json> all;
    for (const json& each : run.at("benchmarks"))
        all[each.at("name").get<std::string>()] = each;
    return all;
}

change verdict(const ratio_interval& ratio, double threshold) {
    if (!ratio.known())
        return change::unknown;
    if (ratio.low > 1 + threshold)
        return change::slower;
    return ratio.high < 1 / (1 + threshold) ? change::faster : change::none;
}

std::string why_not_comparable(const json& entry) {
    if (entry.value("error_occurred", false))
        return entry.value("error_message", "error");
    if (entry.value("completed", 0.0) < 1)
        return entry.value("label", "cut");
    return entry.value("failures", 0) != 0 ? "refused requests" : "";
}

/// A run's samples in units of the harness's own time, which does not depend on the allocator: the
/// machine's speed cancels out. Each is held to the harness in its own round, so that what is
/// uncertain of the harness is in the samples' spread, not in all cells as one common error.
/// @return none: the file has no samples of the harness by round
std::vector<double> in_harness_times(const json& entry) {
    std::vector<double> gross = thinned(numbers(entry, "samples_gross_ns"));
    const std::vector<double> harness = numbers(entry, "harness_samples_ns");
    if (harness.empty() || *std::min_element(harness.begin(), harness.end()) <= 0)
        return {};
    for (std::size_t i = 0; i != gross.size(); ++i) {
        // Its repetitions may have ended before.
        const double own = i < harness.size() ? harness[i] : summarize(harness).median;
        gross[i] = std::max(gross[i] - own, least_ns) / own;
    }
    return gross;
}

/// The samples of both runs, the machine's own change between them taken out.
std::pair<std::vector<double>, std::vector<double>> times_of(const std::string& name, const json& a,
                                                             const json& b) {
    std::vector<double> before = in_harness_times(a);
    std::vector<double> after = in_harness_times(b);
    if (!before.empty() && !after.empty())
        return {before, after};
    // One of the files has only the harness's median.
    before = thinned(numbers(a, "samples_ns"));
    after = thinned(numbers(b, "samples_ns"));
    if (before.empty() || after.empty())
        throw std::runtime_error(name + " has no samples_ns");
    const double harness_before = a.value("harness_ns", 0.0);
    const double harness_after = b.value("harness_ns", 0.0);
    const double machine =
        harness_before > 0 && harness_after > 0 ? harness_after / harness_before : 1;
    for (double& each : before)
        each = std::max(each, least_ns);
    for (double& each : after)
        each = std::max(each / machine, least_ns);
    return {before, after};
}

compared_cell cell_of(const std::string& name, const json& a, const json& b,
                      const comparison_options& options) {
    compared_cell cell;
    cell.name = name;
    for (const json* each : {&a, &b})
        if (cell.remark.empty())
            cell.remark = why_not_comparable(*each);
    if (!cell.remark.empty())
        return cell;
    auto [before, after] = times_of(name, a, b);
    cell.time = ratio_of(before, after, options.confidence);
    cell.in_time = verdict(cell.time, options.threshold);
    if (cell.in_time == change::unknown)
        cell.remark = fmt::format("{} and {} samples are too few", before.size(), after.size());
    before = thinned(numbers(a, "samples_peak_bytes"));
    after = thinned(numbers(b, "samples_peak_bytes"));
    if (!before.empty() && !after.empty()) {
        cell.memory = ratio_of(before, after, options.confidence);
        cell.in_memory = verdict(cell.memory, options.threshold);
    }
    return cell;
}

std::string interval(const ratio_interval& ratio) {
    return ratio.known() ? fmt::format("[{:.3f}, {:.3f}]", ratio.low, ratio.high) : "[?, ?]";
}

std::string_view word(change what, std::string_view less, std::string_view more) {
    switch (what) {
    case change::faster:
        return less;
    case change::slower:
        return more;
    case change::none:
        return "no difference";
    case change::unknown:
        break;
    }
    return "no verdict";
}

} // namespace

bool ratio_interval::known() const noexcept {
    return std::isfinite(high);
}

ratio_interval ratio_of(const std::vector<double>& a, const std::vector<double>& b,
                        double confidence) {
    std::vector<double> ratios;
    for (const double before : a)
        for (const double after : b)
            ratios.push_back(before > 0 ? after / before : after > 0 ? infinite : 1);
    std::sort(ratios.begin(), ratios.end());
    const std::size_t beyond = outside(a.size(), b.size(), confidence);
    ratio_interval made{quantile(ratios, 0.5), 0, infinite};
    if (beyond != 0) {
        made.low = ratios[beyond - 1];
        made.high = ratios[ratios.size() - beyond];
    }
    return made;
}

std::size_t comparison::count(change which) const {
    return static_cast<std::size_t>(std::count_if(
        cells.begin(), cells.end(), [&](const auto& each) { return each.in_time == which; }));
}

comparison compare(const json& a, const json& b, const comparison_options& options) {
    try {
        comparison made;
        for (const char* const fact : {"host_name", "cpu", "num_cpus", "compiler"}) {
            const json none;
            const json& before = a.at("context").contains(fact) ? a["context"][fact] : none;
            const json& after = b.at("context").contains(fact) ? b["context"][fact] : none;
            if (before != after)
                made.warnings.push_back(
                    fmt::format("{} differs: {} and {}", fact, before.dump(), after.dump()));
        }
        const auto first = by_name(a);
        const auto second = by_name(b);
        for (const auto& [name, entry] : first)
            if (const auto other = second.find(name); other != second.end())
                made.cells.push_back(cell_of(name, entry, other->second, options));
            else
                made.only_one.push_back(name);
        for (const auto& [name, entry] : second)
            if (!first.contains(name))
                made.only_one.push_back(name);
        return made;
    } catch (const json::exception& error) {
        throw std::runtime_error(fmt::format("not figures of palloc-bench: {}", error.what()));
    }
}

std::string text_of(const comparison& compared, const comparison_options& options) {
    std::size_t width = 4;
    for (const auto& each : compared.cells)
        width = std::max(width, each.name.size());
    std::string text;
    const auto out = std::back_inserter(text);
    for (const std::string& each : compared.warnings)
        fmt::format_to(out, "warning: {}\n", each);
    fmt::format_to(out, "{:{}} {:>7} {:>18} {:14} {:>7} {:>18}\n", "cell", width, "time",
                   "interval", "", "memory", "interval");
    for (const auto& each : compared.cells) {
        fmt::format_to(out, "{:{}} ", each.name, width);
        if (!each.remark.empty()) {
            fmt::format_to(out, "no verdict: {}\n", each.remark);
            continue;
        }
        fmt::format_to(out, "{:7.3f} {:>18} {:14} ", each.time.ratio, interval(each.time),
                       word(each.in_time, "faster", "slower"));
        if (each.memory.high == 0)
            fmt::format_to(out, "no samples of memory\n");
        else
            fmt::format_to(out, "{:7.3f} {:>18} {}\n", each.memory.ratio, interval(each.memory),
                           word(each.in_memory, "less", "more"));
    }
    for (const std::string& each : compared.only_one)
        fmt::format_to(out, "{:{}} in one run only\n", each, width);
    fmt::format_to(
        out,
        "\n{} cells: {} no difference, {} faster, {} slower, {} without a verdict\n"
        "(second run / first, in units of the harness's own time: the machine's change is out;\n"
        " {:g} % confidence intervals of the Mann-Whitney test; changes within {:g} % are "
        "called none)\n",
        compared.cells.size(), compared.count(change::none), compared.count(change::faster),
        compared.count(change::slower), compared.count(change::unknown), 100 * options.confidence,
        100 * options.threshold);
    return text;
}

} // namespace palloc::bench
