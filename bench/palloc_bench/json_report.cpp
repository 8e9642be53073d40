// SPDX-License-Identifier: MIT
#include "json_report.hpp"

#include <palloc/core/version.hpp>

#include <array>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <unistd.h>

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

json context_of(std::span<const trace_report> reports) {
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
        {"palloc_version", PALLOC_VERSION},
        {"skipped", skipped},
    };
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
    entry["spread"] = each.net_ns.spread;
    entry["samples_ns"] = each.samples;
    entry["harness_ns"] = report.harness_ns;
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

json json_of(std::span<const trace_report> reports) {
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
    return {{"context", context_of(reports)}, {"benchmarks", std::move(benchmarks)}};
}

} // namespace palloc::bench
