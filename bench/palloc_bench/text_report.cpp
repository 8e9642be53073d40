// SPDX-License-Identifier: MIT
#include "text_report.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "verdict.hpp"

namespace palloc::bench {
namespace {

std::string mebibytes(std::uint64_t bytes) {
    return fmt::format("{:.2f} MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
}

std::string spread_of(const cell& entry) {
    return entry.samples.size() < 2 ? "-" : fmt::format("{:.0f} %", 100 * entry.net_ns.spread);
}

std::string remark_on(const cell& entry) {
    if (entry.cut())
        return fmt::format("cut at {:.{}f} %", 100 * entry.completed,
                           entry.completed < 0.1 ? 2 : 0);
    return entry.refused != 0 ? "refused requests" : "";
}

std::size_t widest_name(std::span<const trace_report> reports) {
    std::size_t width = 0;
    for (const trace_report& report : reports)
        for (const cell& each : report.cells)
            width = std::max(width, each.pool->name.size());
    return width;
}

std::string ratio_to(const cell* rival, const cell& entry) {
    if (rival == nullptr || !rival->comparable() || !entry.comparable() ||
        rival->net_ns.median <= 0)
        return "-";
    return fmt::format("{:.2f}", entry.net_ns.median / rival->net_ns.median);
}

} // namespace

std::string table_of(const trace_report& report, std::string_view baseline) {
    const cell* const rival =
        find_cell(report, baseline.empty() ? usual_baseline(report.threads > 1) : baseline);
    const std::size_t width = widest_name({&report, 1});
    std::string text =
        fmt::format("\n{}: {} operations, {}, at most {} live in {} blocks\n  {}\n", report.trace,
                    report.operations,
                    report.threads == 1 ? "1 thread" : fmt::format("{} threads", report.threads),
                    mebibytes(report.peak_live_bytes), report.peak_live_blocks, report.program);
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "  {:{}} {:>9} {:>7} {:>6} {:>12} {:>9} {:>6} {:>8}\n", "composition",
                   width, "ns/op", "spread", "ratio", "peak memory", "overhead", "frag.",
                   "failures");
    for (const cell& each : report.cells) {
        if (!each.measured()) {
            fmt::format_to(out, "  {:{}} {}\n", each.pool->name, width,
                           each.skipped.empty() ? each.error : "skipped: " + each.skipped);
            continue;
        }
        fmt::format_to(out, "  {:{}} {:9.1f} {:>7} {:>6} {:>12} {:9.2f} {:>6} {:8} {}\n",
                       each.pool->name, width, each.net_ns.median, spread_of(each),
                       ratio_to(rival, each), mebibytes(each.peak_bytes), each.overhead(),
                       each.fragmentation ? fmt::format("{:.2f}", *each.fragmentation) : "-",
                       each.refused, remark_on(each));
    }
    for (const cell& each : report.cells)
        for (const std::string& look : each.not_seen)
            fmt::format_to(out, "  {:{}} not seen: {}\n", each.pool->name, width, look);
    fmt::format_to(
        out, "  ({:.1f} ns of the harness subtracted from each operation{})\n", report.harness_ns,
        rival == nullptr ? "" : fmt::format("; ratio: of time to {}", rival->pool->name));
    return text;
}

std::string latency_table_of(const trace_report& report) {
    const std::size_t width = widest_name({&report, 1});
    std::string text;
    const auto out = std::back_inserter(text);
    for (const cell& each : report.cells) {
        if (!each.latency)
            continue;
        if (text.empty())
            fmt::format_to(out, "  {:{}} {:8} {:>8} {:>8} {:>8} {:>8} {:>9}\n",
                           "ns of single calls", width, "", "p50", "p90", "p99", "p99.9", "max");
        for (const auto& [what, of] : {std::pair("allocate", &each.latency->allocate),
                                       std::pair("free", &each.latency->release)})
            fmt::format_to(out, "  {:{}} {:8} {:8.0f} {:8.0f} {:8.0f} {:8.0f} {:9.0f}\n",
                           each.pool->name, width, what, of->p50, of->p90, of->p99, of->p999,
                           of->max);
    }
    return text;
}

std::string perf_table_of(const trace_report& report) {
    const std::size_t width = widest_name({&report, 1});
    std::string text;
    const auto out = std::back_inserter(text);
    const auto figure = [](double value) {
        return value < 0 ? std::string("-") : fmt::format("{:.2f}", value);
    };
    for (const cell& each : report.cells) {
        if (!each.perf)
            continue;
        if (text.empty())
            fmt::format_to(out, "  {:{}} {:>13} {:>13} {:>13}\n", "an operation, harness included",
                           width, "instructions", "cache misses", "TLB misses");
        fmt::format_to(out, "  {:{}} {:>13} {:>13} {:>13}\n", each.pool->name, width,
                       figure(each.perf->instructions), figure(each.perf->cache_misses),
                       figure(each.perf->tlb_misses));
    }
    return text;
}

std::string failures_of(const trace_report& report) {
    std::vector<const cell*> failed;
    for (const cell& each : report.cells)
        if (each.measured() && each.refused != 0)
            failed.push_back(&each);
    std::stable_sort(failed.begin(), failed.end(), [](const cell* a, const cell* b) {
        return a->first_refused_at < b->first_refused_at;
    });
    std::string text;
    const auto out = std::back_inserter(text);
    if (!failed.empty())
        fmt::format_to(out, "  who fails first\n");
    for (const cell* each : failed)
        fmt::format_to(out,
                       "  {:{}} at operation {}{}; {} requests refused: {} full, {} fragmented\n",
                       each->pool->name, widest_name({&report, 1}), each->first_refused_at + 1,
                       report.threads == 1 ? "" : " of its thread", each->refused,
                       each->why_refused.full, each->why_refused.fragmented);
    return text;
}

std::string conclusion_of(std::span<const trace_report> reports) {
    std::size_t trace_width = 5;
    for (const trace_report& report : reports)
        trace_width = std::max(trace_width, report.trace.size());
    const std::size_t width = widest_name(reports);

    std::string text =
        fmt::format("\nWinners\n  {:{}}  {:{}} {:>9}   {:{}} {:>12}\n", "trace", trace_width,
                    "fastest", width, "ns/op", "least memory", width, "peak");
    const auto out = std::back_inserter(text);
    for (const trace_report& report : reports) {
        const cell* const quick = fastest(report);
        const cell* const lean = leanest(report);
        if (quick == nullptr)
            fmt::format_to(out, "  {:{}}  nothing replayed it to its end\n", report.trace,
                           trace_width);
        else
            fmt::format_to(out, "  {:{}}  {:{}} {:9.1f}   {:{}} {:>12}\n", report.trace,
                           trace_width, quick->pool->name, width, quick->net_ns.median,
                           lean->pool->name, width, mebibytes(lean->peak_bytes));
    }
    const auto all = contests(reports);
    if (!all.empty())
        text += "\nPresets against the standard library (ahead: faster on every trace, with no "
                "more peak\nmemory on at least half of them)\n";
    for (const contest& each : all)
        fmt::format_to(out,
                       "  {}, {} traces, against {}: faster on {} of {}, no more memory on {} of "
                       "{}: {} ({})\n",
                       each.preset, each.threaded ? "multi-threaded" : "single-threaded",
                       each.baseline, each.faster, each.traces, each.no_larger, each.traces,
                       each.won() ? "ahead" : "NOT ahead",
                       each.replays < 2
                           ? "some of it by a single replay"
                           : fmt::format("medians of {} replays or more", each.replays));
    return text;
}

} // namespace palloc::bench
