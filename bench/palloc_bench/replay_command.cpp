// SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "campaign.hpp"
#include "commands.hpp"
#include "json_report.hpp"
#include "text_report.hpp"
#include "trace_reader.hpp"

namespace palloc::bench {
namespace {

/// What the default run may take of its three minutes, however many cells there are.
constexpr double whole_run_seconds = 140;
constexpr double longest_replay_seconds = 2;
constexpr double shortest_replay_seconds = 0.1;
constexpr double full_replay_seconds = 20;
constexpr int repetitions = 7;
constexpr int full_repetitions = 15;

struct replay_arguments {
    std::vector<std::string> traces;
    std::string pools = ".";
    std::string json_file;
    std::optional<int> repetitions;
    std::optional<double> replay_seconds;
    bool full = false;
};

std::chrono::nanoseconds nanoseconds(double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

/// How to measure each of `cells_left` cells. Where the whole run is to end in time, each has an
/// equal part of what is left of it; few need more, so a replay may take twice as much.
campaign_options options_of(const replay_arguments& given, double seconds_used,
                            std::size_t cells_left) {
    campaign_options options;
    options.repetitions = given.repetitions.value_or(given.full ? full_repetitions : repetitions);
    if (given.full || given.replay_seconds) {
        options.replay_limit = nanoseconds(given.replay_seconds.value_or(full_replay_seconds));
        return options;
    }
    const double part =
        std::max(whole_run_seconds - seconds_used, 0.0) / static_cast<double>(cells_left);
    options.cell_time = nanoseconds(part);
    options.replay_limit =
        nanoseconds(std::clamp(2 * part, shortest_replay_seconds, longest_replay_seconds));
    return options;
}

void replay(const replay_arguments& given) {
    const auto pools = compositions_matching(given.pools);
    const std::vector<std::filesystem::path> files =
        given.traces.empty()
            ? bundled_traces()
            : std::vector<std::filesystem::path>(given.traces.begin(), given.traces.end());
    std::ofstream json_file;
    if (!given.json_file.empty()) {
        json_file.open(given.json_file);
        if (!json_file)
            throw usage_error(fmt::format("--json {}: cannot be written", given.json_file));
    }
    const auto begin = std::chrono::steady_clock::now();
    const auto seconds_used = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    std::vector<trace_report> reports;
    for (const auto& file : files) {
        const auto options =
            options_of(given, seconds_used(), (files.size() - reports.size()) * pools.size());
        reports.push_back(measure_all(read_trace(file), pools, options));
        fmt::print("{}", table_of(reports.back()));
        std::fflush(stdout);
    }
    fmt::print("{}\nin {:.0f} s\n", conclusion_of(reports), seconds_used());
    if (json_file.is_open() && !(json_file << json_of(reports).dump(2) << '\n' << std::flush))
        throw usage_error(fmt::format("--json {}: cannot be written", given.json_file));
}

} // namespace

void add_replay_command(CLI::App& program, int&) {
    CLI::App* const command = program.add_subcommand(
        "replay", "Replays programs' allocations on compositions of policies and on the standard "
                  "library's resources, and compares time and memory.");
    const auto given = std::make_shared<replay_arguments>();
    command->add_option("--trace", given->traces, "Heap traces (default: the bundled ones)")
        ->type_name("FILE");
    command->add_option("--pool", given->pools, "Only compositions whose name this REGEX finds")
        ->type_name("REGEX");
    command
        ->add_option("--json", given->json_file,
                     "Also write the figures here, in Google Benchmark's format")
        ->type_name("FILE");
    command
        ->add_option("--repeat", given->repetitions,
                     fmt::format("Replays of a cell (default: up to {}; with --full {})",
                                 repetitions, full_repetitions))
        ->type_name("N")
        ->check(CLI::Range(1, 1000));
    command
        ->add_option("--budget", given->replay_seconds,
                     fmt::format("A replay that takes longer is cut (default: up to {}, so that "
                                 "the whole run takes {}; with --full {})",
                                 longest_replay_seconds, whole_run_seconds, full_replay_seconds))
        ->type_name("SECONDS")
        ->check(CLI::Range(0.001, 86400.0));
    command->add_flag("--full", given->full, "Take the time for better figures");
    command->footer(
        "A cell is one composition on one trace; each replay of it is a process of its own.\n"
        "Every call goes through std::pmr::memory_resource. Each block is written at both ends\n"
        "and in every page, and checked when it is freed; one more replay, not timed, looks for\n"
        "overlaps. A realloc is an allocation, a copy and a deallocation. Programs with threads\n"
        "are replayed with as many, on all processors, on the compositions that may be shared;\n"
        "others on one processor.\n"
        "ns/op is the median over the replays, of the processor's time where the program has one\n"
        "thread, else of the time that passes; subtracted is what the same replay takes on a\n"
        "resource that hands out one small buffer over and over: reading the trace, the table of\n"
        "live blocks, the virtual call, writing and checking blocks that are in the cache.\n"
        "Peak memory is the growth of touched pages, the allocator's own data included; overhead\n"
        "is peak memory / most bytes live at once; frag. is 1 - largest / all free memory, when\n"
        "most bytes are live. Failures are requests that were refused.");
    command->callback([given] { replay(*given); });
}

} // namespace palloc::bench
