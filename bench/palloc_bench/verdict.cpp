// SPDX-License-Identifier: MIT
#include "verdict.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace palloc::bench {
namespace {

template <class Key>
const cell* least(const trace_report& report, Key key) {
    const cell* best = nullptr;
    for (const cell& each : report.cells)
        if (each.comparable() && (best == nullptr || key(each) < key(*best)))
            best = &each;
    return best;
}

const cell* find(const trace_report& report, std::string_view name) {
    const auto found = std::find_if(report.cells.begin(), report.cells.end(),
                                    [&](const cell& c) { return c.pool->name == name; });
    return found == report.cells.end() ? nullptr : &*found;
}

constexpr std::string_view rival(bool threaded) {
    return threaded ? "std::pmr::synchronized_pool_resource"
                    : "std::pmr::unsynchronized_pool_resource";
}

contest& contest_of(std::vector<contest>& all, std::string_view preset, bool threaded) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const contest& c) {
        return c.preset == preset && c.threaded == threaded;
    });
    return found != all.end() ? *found
                              : all.emplace_back(contest{preset, rival(threaded), threaded});
}

} // namespace

const cell* fastest(const trace_report& report) {
    return least(report, [](const cell& c) { return c.net_ns.median; });
}

const cell* leanest(const trace_report& report) {
    return least(report, [](const cell& c) { return std::tuple(c.peak_bytes, c.net_ns.median); });
}

std::vector<contest> contests(std::span<const trace_report> reports) {
    std::vector<contest> all;
    for (const trace_report& report : reports) {
        const bool threaded = report.threads > 1;
        const cell* const baseline = find(report, rival(threaded));
        if (baseline == nullptr || !baseline->comparable())
            continue;
        for (const cell& each : report.cells) {
            // A preset that threads share is not held to what one thread alone can do.
            if (each.pool->role != standing::preset || each.pool->is_concurrent != threaded)
                continue;
            contest& entry = contest_of(all, each.pool->name, threaded);
            ++entry.traces;
            entry.faster += each.comparable() && each.net_ns.median < baseline->net_ns.median;
            entry.no_larger += each.comparable() && each.peak_bytes <= baseline->peak_bytes;
        }
    }
    return all;
}

} // namespace palloc::bench
