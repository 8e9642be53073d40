// SPDX-License-Identifier: MIT
#include "verdict.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fmt/format.h>
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

/// So much more than the leanest may a recommended composition hold.
constexpr double memory_allowance = 1.25;

std::string mebibytes(std::uint64_t bytes) {
    return fmt::format("{:.2f} MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
}

/// "4.1 times as fast as", with both figures above the harness's resolution.
std::string pace(double mine, double theirs) {
    constexpr double least_ns = 0.1;
    constexpr double told = 1.005; // two digits
    mine = std::max(mine, least_ns);
    theirs = std::max(theirs, least_ns);
    if (std::max(mine / theirs, theirs / mine) < told)
        return "as fast as";
    return mine <= theirs ? fmt::format("{:.2f} times as fast as", theirs / mine)
                          : fmt::format("{:.2f} times as slow as", mine / theirs);
}

std::string weight(std::uint64_t mine, std::uint64_t theirs) {
    const double more = 100 * (static_cast<double>(mine) / static_cast<double>(theirs) - 1);
    if (std::abs(more) < 0.5)
        return "as much memory as";
    return fmt::format("{:.0f} % {} memory than", std::abs(more), more > 0 ? "more" : "less");
}

std::tuple<double, std::uint64_t> by_time(const cell& c) {
    return {c.net_ns.median, c.peak_bytes};
}

contest& contest_of(std::vector<contest>& all, std::string_view preset, bool threaded) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const contest& c) {
        return c.preset == preset && c.threaded == threaded;
    });
    return found != all.end()
               ? *found
               : all.emplace_back(contest{preset, usual_baseline(threaded), threaded});
}

} // namespace

const cell* fastest(const trace_report& report) {
    return least(report, by_time);
}

const cell* leanest(const trace_report& report) {
    return least(report, [](const cell& c) { return std::tuple(c.peak_bytes, c.net_ns.median); });
}

std::vector<const cell*> pareto_front(const trace_report& report) {
    std::vector<const cell*> front;
    for (const cell& each : report.cells)
        if (each.comparable())
            front.push_back(&each);
    std::stable_sort(front.begin(), front.end(),
                     [](const cell* a, const cell* b) { return by_time(*a) < by_time(*b); });
    std::uint64_t least = ~std::uint64_t{0};
    std::erase_if(front, [&](const cell* each) {
        if (each->peak_bytes >= least)
            return true;
        least = each->peak_bytes;
        return false;
    });
    return front;
}

recommendation recommend(const trace_report& report, std::string_view baseline) {
    const cell* const lean = leanest(report);
    if (lean == nullptr)
        return {nullptr, "No composition replayed the trace to its end and served every request."};
    const double allowed = memory_allowance * static_cast<double>(lean->peak_bytes);
    recommendation made;
    for (const cell& each : report.cells)
        if (each.comparable() && static_cast<double>(each.peak_bytes) <= allowed &&
            (made.winner == nullptr || by_time(each) < by_time(*made.winner)))
            made.winner = &each;
    const cell& best = *made.winner;
    const cell* const quick = fastest(report);
    made.reason = fmt::format("{} serves this program best: {:.1f} ns an operation and {} at most.",
                              best.pool->name, best.net_ns.median, mebibytes(best.peak_bytes));
    if (quick == &best && lean == &best)
        made.reason += " Nothing is faster, and nothing needs less memory.";
    else if (quick == &best)
        made.reason += fmt::format(" Nothing is faster; {} needs the least memory, {}.",
                                   lean->pool->name, mebibytes(lean->peak_bytes));
    else if (lean == &best)
        made.reason +=
            fmt::format(" Nothing needs less memory, and all that are faster hold over a "
                        "quarter more: the fastest, {} ({:.1f} ns), takes {}.",
                        quick->pool->name, quick->net_ns.median, mebibytes(quick->peak_bytes));
    else
        made.reason += fmt::format(
            " It is the fastest of those that hold at most a quarter more than the leanest, {} "
            "({}); {} is faster still ({:.1f} ns) but takes {}.",
            lean->pool->name, mebibytes(lean->peak_bytes), quick->pool->name, quick->net_ns.median,
            mebibytes(quick->peak_bytes));
    if (baseline.empty())
        baseline = usual_baseline(report.threads > 1);
    const cell* const rival = find_cell(report, baseline);
    if (rival != nullptr && rival->comparable() && rival != &best)
        made.reason +=
            fmt::format(" It is {} {}, with {} it.", pace(best.net_ns.median, rival->net_ns.median),
                        rival->pool->name, weight(best.peak_bytes, rival->peak_bytes));
    return made;
}

const cell* find_cell(const trace_report& report, std::string_view name) {
    const auto found = std::find_if(report.cells.begin(), report.cells.end(),
                                    [&](const cell& c) { return c.pool->name == name; });
    return found == report.cells.end() ? nullptr : &*found;
}

std::string_view usual_baseline(bool threaded) noexcept {
    return threaded ? "std::pmr::synchronized_pool_resource"
                    : "std::pmr::unsynchronized_pool_resource";
}

std::vector<contest> contests(std::span<const trace_report> reports) {
    std::vector<contest> all;
    for (const trace_report& report : reports) {
        const bool threaded = report.threads > 1;
        const cell* const baseline = find_cell(report, usual_baseline(threaded));
        if (baseline == nullptr || !baseline->comparable())
            continue;
        for (const cell& each : report.cells) {
            // A preset that threads share is not held to what one thread alone can do.
            if (each.pool->role != standing::preset || each.pool->is_concurrent != threaded)
                continue;
            contest& entry = contest_of(all, each.pool->name, threaded);
            const std::size_t replays = std::min(each.samples.size(), baseline->samples.size());
            entry.replays = entry.traces == 0 ? replays : std::min(entry.replays, replays);
            ++entry.traces;
            entry.faster += each.comparable() && each.net_ns.median < baseline->net_ns.median;
            entry.no_larger += each.comparable() && each.peak_bytes <= baseline->peak_bytes;
        }
    }
    return all;
}

} // namespace palloc::bench
