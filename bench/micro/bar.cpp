// SPDX-License-Identifier: MIT
#include "bar.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "palloc_bench/statistics.hpp"

namespace palloc::bench::micro {
namespace {

std::string duration(double ns) {
    constexpr std::array units{"ns", "us", "ms", "s"};
    std::size_t unit = 0;
    for (; std::abs(ns) >= 1000 && unit + 1 != units.size(); ++unit)
        ns /= 1000;
    return fmt::format("{:.3g} {}", ns, units[unit]);
}

std::string demanded(const bar& promise) {
    if (promise.wanted == demand::none)
        return {};
    return fmt::format(", at {} {:g}{}", promise.wanted == demand::at_least ? "least" : "most",
                       promise.limit, promise.unit);
}

std::string line_of(const std::string& name, const samples& measured) {
    std::string line = fmt::format("        {:48}", name);
    if (!measured.ns.empty())
        line += fmt::format("  least {:>8}, median {:>8}", duration(std::ranges::min(measured.ns)),
                            duration(summarize(measured.ns).median));
    for (const auto& [counter, values] : measured.counters)
        line += fmt::format("  {} {:.4g}", counter, summarize(values).median);
    return line + '\n';
}

} // namespace

std::optional<double> read(const figures& measured, const reading& wanted) {
    const auto found = measured.find(wanted.benchmark);
    if (found == measured.end())
        return std::nullopt;
    const samples& all = found->second;
    if (wanted.counter.empty())
        return all.ns.empty() ? std::nullopt : std::optional(summarize(all.ns).median);
    const auto counter = all.counters.find(wanted.counter);
    if (counter == all.counters.end() || counter->second.empty())
        return std::nullopt;
    return std::ranges::max(counter->second);
}

std::vector<reading> bar::readings() const {
    std::vector<reading> all{value};
    for (const auto& each : {minus, per})
        if (each)
            all.push_back(*each);
    return all;
}

std::string_view to_string(verdict answer) {
    switch (answer) {
    case verdict::held:
        return "held";
    case verdict::missed:
        return "missed";
    case verdict::shown:
        return "shown";
    case verdict::not_measured:
        return "not measured";
    }
    return {};
}

judgement judge(const bar& promise, const figures& measured) {
    for (const reading& each : promise.readings())
        if (!read(measured, each))
            return {};
    double figure = *read(measured, promise.value);
    if (promise.minus)
        figure -= *read(measured, *promise.minus);
    if (promise.per)
        figure /= *read(measured, *promise.per);
    if (promise.wanted == demand::none)
        return {verdict::shown, figure};
    const bool enough =
        promise.wanted == demand::at_least ? figure >= promise.limit : figure <= promise.limit;
    return {std::isfinite(figure) && enough ? verdict::held : verdict::missed, figure};
}

std::string report(const bar& promise, const figures& measured) {
    const auto [answer, figure] = judge(promise, measured);
    if (answer == verdict::not_measured)
        return fmt::format("{:7} {}{}\n", "-", promise.text, demanded(promise));
    std::string text = fmt::format("{:7} {}: {:.4g}{}{}\n", to_string(answer), promise.text, figure,
                                   promise.unit, demanded(promise));
    for (const reading& each : promise.readings())
        text += line_of(each.benchmark, measured.at(each.benchmark));
    return text;
}

} // namespace palloc::bench::micro
