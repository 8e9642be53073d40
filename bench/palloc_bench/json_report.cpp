// SPDX-License-Identifier: MIT
#include "json_report.hpp"

#include <palloc/core/version.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <sys/utsname.h>

#include "commit.hpp"
#include "paste.hpp"
#include "verdict.hpp"

namespace palloc::bench {
namespace {

using nlohmann::json;

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// The first "model name" or "cpu MHz" of /proc/cpuinfo, or nothing.
std::string processor_fact(std::string_view label) {
    std::ifstream facts("/proc/cpuinfo");
    for (std::string line; std::getline(facts, line);)
        if (line.starts_with(label))
            return line.substr(line.find(':') + 2);
    return {};
}

json context_of(std::span<const trace_report> reports, std::string_view command) {
    utsname system{};
    uname(&system);
    std::array<double, 3> load{};
    const int loads = getloadavg(load.data(), static_cast<int>(load.size()));
    json skipped = json::array();
    for (const trace_report& report : reports)
        for (const cell& each : report.cells)
            if (!each.skipped.empty())
                skipped.push_back({{"name", report.trace + "/" + std::string(each.pool->name)},
                                   {"reason", each.skipped}});
    return {
        {"date", fmt::format("{:%FT%T%z}", fmt::localtime(std::time(nullptr)))},
        {"host_name", host_name()},
        {"executable", "palloc-bench"},
        {"num_cpus", std::thread::hardware_concurrency()},
        {"mhz_per_cpu", std::atoi(processor_fact("cpu MHz").c_str())},
        {"cpu", processor_fact("model name")},
        {"cpu_scaling_enabled", false},
        {"caches", json::array()},
        {"load_avg", json(std::vector<double>(load.begin(), load.begin() + std::max(loads, 0)))},
#ifdef NDEBUG
        {"library_build_type", "release"},
#else
        {"library_build_type", "debug"},
#endif
        {"compiler", __VERSION__},
        {"commit", PALLOC_COMMIT},
        {"command", command},
        {"kernel", fmt::format("{} {}", system.sysname, system.release)},
        {"palloc_version", PALLOC_VERSION},
        {"skipped", skipped},
    };
}

void add_perf(json& entry, const perf_figures& perf) {
    json figures = json::object();
    const auto add = [&](const char* name, double value) {
        if (value >= 0)
            figures[name] = value;
    };
    add("instructions", perf.instructions);
    add("cache_misses", perf.cache_misses);
    add("tlb_misses", perf.tlb_misses);
    entry["perf"] = std::move(figures);
}

json latency_json(const latency_figures& of) {
    return {{"calls", of.calls}, {"p50", of.p50},    {"p90", of.p90},
            {"p99", of.p99},     {"p99.9", of.p999}, {"max", of.max}};
}

void add_latency(json& entry, const latency_report& latency) {
    entry["latency_ns"] = {{"allocate", latency_json(latency.allocate)},
                           {"free", latency_json(latency.release)}};
    json classes = json::array();
    for (std::size_t i = 0; i != latency.by_size.size(); ++i)
        if (const size_class_cost& each = latency.by_size[i]; each.calls != 0)
            classes.push_back(
                {{"to_bytes", std::uint64_t{1} << i}, {"calls", each.calls}, {"ns", each.mean_ns}});
    entry["size_classes"] = std::move(classes);
}

/// Lists of numbers, cell by cell, to be short.
json map_json(const pool_map& map) {
    json live = json::array();
    json blocks = json::array();
    json largest = json::array();
    for (std::size_t i = 0; i != map.cells; ++i) {
        live.push_back(map.cell_at[i].live_bytes);
        blocks.push_back(map.cell_at[i].blocks);
        largest.push_back(map.cell_at[i].largest_free_bytes);
    }
    return {{"operation", map.operation},
            {"range_bytes", map.range_bytes},
            {"cell_bytes", map.cell_bytes},
            {"live_bytes", map.live_bytes},
            {"blocks", map.blocks},
            {"largest_free_bytes", map.largest_free_bytes},
            {"cell_live_bytes", std::move(live)},
            {"cell_blocks", std::move(blocks)},
            {"cell_largest_free_bytes", std::move(largest)}};
}

void add_inspection(json& entry, const inspection& seen) {
    json run = json::array();
    for (std::size_t i = 0; i != seen.samples; ++i) {
        const memory_sample& at = seen.sample[i];
        run.push_back(
            {{"operation", at.operation},
             {"live_bytes", at.live_bytes},
             {"held_bytes", at.held_bytes},
             {"fragmentation", std::isnan(at.fragmentation) ? json() : json(at.fragmentation)}});
    }
    entry["memory_over_run"] = std::move(run);
    entry["map_worst"] = map_json(seen.worst);
    entry["map_end"] = map_json(seen.end);
}

json trace_json(const trace_report& report, std::string_view baseline) {
    const recommendation best = recommend(report, baseline);
    json front = json::array();
    for (const cell* each : pareto_front(report))
        front.push_back(each->pool->name);
    json made{
        {"name", report.trace},
        {"program", report.program},
        {"operations", report.operations},
        {"threads", report.threads},
        {"peak_live_bytes", report.peak_live_bytes},
        {"peak_live_blocks", report.peak_live_blocks},
        {"harness_ns", report.harness_ns},
        {"stopped", report.stopped},
        {"pareto_front", std::move(front)},
        {"baseline", baseline.empty() ? usual_baseline(report.threads > 1) : baseline},
        {"reason", best.reason},
    };
    if (best.winner != nullptr) {
        made["winner"] = best.winner->pool->name;
        made["cpp"] = cpp_of(*best.winner->pool, report.trace);
    }
    return made;
}

json entry_of(const trace_report& report, const cell& each) {
    const std::string name = report.trace + "/" + std::string(each.pool->name);
    json entry{
        {"name", name},
        {"run_name", name},
        {"run_type", "iteration"},
        {"repetitions", each.samples.size()},
        {"repetition_index", 0},
        {"threads", report.threads},
        {"iterations", each.operations},
        {"real_time", each.net_ns.median},
        {"cpu_time", each.cpu_ns},
        {"time_unit", "ns"},
    };
    if (!each.error.empty()) {
        entry["error_occurred"] = true;
        entry["error_message"] = each.error;
        return entry;
    }
    entry["composition"] = each.pool->name;
    entry["trace"] = report.trace;
    entry["cpp"] = each.pool->cpp;
    entry["comparable"] = each.comparable();
    entry["role"] = each.pool->role == standing::baseline ? "baseline"
                    : each.pool->role == standing::preset ? "preset"
                                                          : "pool";
    entry["samples_peak_bytes"] = each.peak_samples;
    if (each.refused != 0) {
        entry["first_failure_at"] = each.first_refused_at;
        entry["failures_full"] = each.why_refused.full;
        entry["failures_fragmented"] = each.why_refused.fragmented;
    }
    if (each.perf)
        add_perf(entry, *each.perf);
    if (each.latency)
        add_latency(entry, *each.latency);
    if (each.inspected)
        add_inspection(entry, *each.inspected);
    if (!each.not_seen.empty())
        entry["not_seen"] = each.not_seen;
    entry["spread"] = each.net_ns.spread;
    entry["samples_ns"] = each.samples;
    entry["samples_gross_ns"] = each.gross_samples;
    entry["harness_ns"] = report.harness_ns;
    entry["harness_samples_ns"] = report.harness_samples;
    entry["completed"] = each.completed;
    entry["peak_bytes"] = each.peak_bytes;
    entry["peak_live_bytes"] = each.peak_live_bytes;
    entry["overhead_ratio"] = each.overhead();
    entry["failures"] = each.refused;
    if (each.fragmentation)
        entry["fragmentation"] = *each.fragmentation;
    if (each.cut())
        entry["label"] = fmt::format("cut at {:.2f} %", 100 * each.completed);
    return entry;
}

} // namespace

json json_of(std::span<const trace_report> reports, std::string_view command,
             std::string_view baseline) {
    json traces = json::array();
    for (const trace_report& each : reports)
        traces.push_back(trace_json(each, baseline));
    json benchmarks = json::array();
    for (std::size_t family = 0; family != reports.size(); ++family) {
        std::size_t instance = 0;
        for (const cell& each : reports[family].cells) {
            if (!each.skipped.empty())
                continue;
            json entry = entry_of(reports[family], each);
            entry["family_index"] = family;
            entry["per_family_instance_index"] = instance++;
            benchmarks.push_back(std::move(entry));
        }
    }
    return {{"context", context_of(reports, command)},
            {"traces", std::move(traces)},
            {"benchmarks", std::move(benchmarks)}};
}

} // namespace palloc::bench
