// SPDX-License-Identifier: MIT
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "campaign.hpp"
#include "commands.hpp"
#include "html_report.hpp"
#include "json_report.hpp"
#include "progress.hpp"
#include "text_report.hpp"
#include "trace_reader.hpp"

namespace palloc::bench {
namespace {

/// What the default run may take of its three minutes, however many cells there are.
constexpr double whole_run_seconds = 120;
/// Where a slow machine has taken longer: nothing is repeated from here on.
constexpr double last_repetition_seconds = 145;
constexpr double longest_replay_seconds = 2;
constexpr double shortest_replay_seconds = 0.1;
constexpr double full_replay_seconds = 20;
constexpr int repetitions = 7;
constexpr int least_repetitions = 3;           // of presets and baselines, so that a median decides
constexpr int least_repetitions_of_others = 2; // so that each figure has a spread
constexpr int full_repetitions = 15;

struct replay_arguments {
    std::vector<std::string> traces;
    std::string pools = ".";
    std::string json_file;
    std::string html_file;
    std::string baseline;
    std::string command; ///< as it was called
    std::optional<std::size_t> threads;
    std::uint64_t limit_bytes = 0;
    bool latency = false;
    bool perf = false;
    bool quiet = false;
    std::optional<int> repetitions;
    std::optional<double> replay_seconds;
    bool full = false;
};

std::chrono::nanoseconds nanoseconds(double seconds) {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

/// How many threads the file's replay will have, as far as it can be read twice.
std::size_t threads_to_come(const std::filesystem::path& file, const replay_arguments& given) {
    if (given.threads)
        return *given.threads;
    std::error_code unknown;
    if (!std::filesystem::is_regular_file(file, unknown))
        return 1;
    return static_cast<std::size_t>(read_trace_header(file).threads);
}

/// How to measure each cell. Where the whole run is to end in time, each has one of `parts_left`
/// parts of what is left of it, or several where it decides; few need more, so a replay may take
/// twice as much.
campaign_options options_of(const replay_arguments& given, double seconds_used, double parts_left) {
    campaign_options options;
    using detail = campaign_options::detail;
    options.limit_bytes = given.limit_bytes;
    options.baseline = given.baseline;
    options.perf = given.perf;
    if (!given.html_file.empty())
        options.latency = options.inspection = detail::of_the_best;
    if (given.latency)
        options.latency = detail::of_all;
    options.repetitions = given.repetitions.value_or(given.full ? full_repetitions : repetitions);
    if (given.full || given.replay_seconds) {
        options.replay_limit = nanoseconds(given.replay_seconds.value_or(full_replay_seconds));
        options.decisive_replay_limit = options.replay_limit;
        return options;
    }
    const double part = std::max(whole_run_seconds - seconds_used, 0.0) / std::max(parts_left, 1.0);
    options.cell_time = nanoseconds(part);
    options.decisive_cell_time = nanoseconds(decisive_weight * part);
    options.decisive_replay_limit = nanoseconds(longest_replay_seconds);
    options.least_repetitions = least_repetitions;
    options.least_repetitions_of_others = least_repetitions_of_others;
    options.end = std::chrono::steady_clock::now() +
                  nanoseconds(std::max(last_repetition_seconds - seconds_used, 0.0));
    options.replay_limit =
        nanoseconds(std::clamp(2 * part, shortest_replay_seconds, longest_replay_seconds));
    return options;
}

/// A file that can be written, before the work begins.
std::ofstream open_file(const char* option, const std::string& name) {
    std::ofstream file;
    if (!name.empty()) {
        file.open(name);
        if (!file)
            throw usage_error(fmt::format("{} {}: cannot be written", option, name));
    }
    return file;
}

void write(std::ofstream& file, const char* option, const std::string& name,
           const std::string& content) {
    if (file.is_open() && !(file << content << std::flush))
        throw usage_error(fmt::format("{} {}: cannot be written", option, name));
}

std::string own_command() {
    std::ifstream in("/proc/self/cmdline", std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    std::replace(text.begin(), text.end(), '\0', ' ');
    if (!text.empty())
        text.pop_back();
    return text;
}

std::vector<const composition*> chosen_pools(const replay_arguments& given) {
    auto pools = compositions_matching(given.pools);
    if (given.baseline.empty())
        return pools;
    for (const composition* each : pools)
        if (each->name == given.baseline)
            return pools;
    for (const composition* each : compositions_matching("."))
        if (each->name == given.baseline) {
            pools.push_back(each);
            return pools;
        }
    throw usage_error(fmt::format("--baseline {}: no composition has this name; `palloc-bench "
                                  "list` names them",
                                  given.baseline));
}

void replay(const replay_arguments& given, int& status) {
    const auto pools = chosen_pools(given);
    const std::vector<std::filesystem::path> files =
        given.traces.empty()
            ? bundled_traces()
            : std::vector<std::filesystem::path>(given.traces.begin(), given.traces.end());
    // What the report lacks is said before minutes are spent, and before a file is emptied.
    std::string page = given.html_file.empty() ? "" : empty_page();
    std::ofstream json_file = open_file("--json", given.json_file);
    std::ofstream html_file = open_file("--html", given.html_file);
    if (given.perf)
        if (const std::string why = perf_counters::why_none(); !why.empty())
            fmt::print(stderr, "palloc-bench: --perf: skipped: the machine gives no counters: {}\n",
                       why);
    const auto begin = std::chrono::steady_clock::now();
    const auto seconds_used = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    std::vector<trace_report> reports;
    progress shown(given.quiet);
    double parts_left = 0;
    std::vector<double> parts;
    for (const auto& file : files) {
        parts.push_back(time_parts(pools, threads_to_come(file, given), given.baseline));
        parts_left += parts.back();
    }
    for (const auto& file : files) {
        if (progress::interrupted())
            break;
        auto options = options_of(given, seconds_used(), parts_left);
        parts_left -= parts[reports.size()];
        options.stop = [&](double share) {
            return shown.show(trace_name(file), (static_cast<double>(reports.size()) + share) /
                                                    static_cast<double>(files.size()));
        };
        trace program = read_trace(file);
        if (given.threads)
            program = with_threads(std::move(program), *given.threads);
        reports.push_back(measure_all(program, pools, options));
        shown.clear();
        if (!given.quiet)
            fmt::print("{}{}{}{}", table_of(reports.back(), given.baseline),
                       latency_table_of(reports.back()), perf_table_of(reports.back()),
                       failures_of(reports.back()));
        std::fflush(stdout);
    }
    if (!given.quiet)
        fmt::print("{}\nin {:.0f} s\n", conclusion_of(reports), seconds_used());
    if (json_file.is_open() || html_file.is_open()) {
        const nlohmann::json figures = json_of(reports, given.command, given.baseline);
        write(json_file, "--json", given.json_file, figures.dump(2) + '\n');
        if (html_file.is_open())
            write(html_file, "--html", given.html_file, html_of(figures, std::move(page)));
    }
    if (html_file.is_open() && !given.quiet)
        fmt::print("report: {}\n", std::filesystem::absolute(given.html_file).string());
    if (progress::interrupted()) {
        fmt::print(stderr, "palloc-bench: interrupted: what was finished is shown\n");
        constexpr int exit_interrupted = 130;
        status = exit_interrupted;
    }
}

} // namespace

void add_replay_command(CLI::App& program, int& status) {
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
        ->add_option("--html", given->html_file,
                     "Also write a report to look at: one file, for any browser")
        ->type_name("FILE");
    command
        ->add_option("--baseline", given->baseline,
                     "The composition that others are compared with (default: the standard "
                     "library's pool resource)")
        ->type_name("NAME");
    command
        ->add_option("--threads", given->threads,
                     "Replay on so many threads: a trace of one thread so many times at once, one "
                     "of more dealt out to so many")
        ->type_name("N")
        ->check(CLI::Range(1, 256));
    command
        ->add_option("--limit", given->limit_bytes,
                     "Give each composition a fixed range of so many BYTES (K, M and G are "
                     "understood): who fails first?")
        ->type_name("BYTES")
        ->transform(CLI::AsSizeValue(false));
    command->add_flag("--latency", given->latency,
                      "Percentiles of single calls by the cycle counter, its own cost subtracted");
    command->add_flag("--perf", given->perf,
                      "Instructions, cache and TLB misses, where the machine gives them");
    command->add_flag("-q,--quiet", given->quiet, "Neither tables nor progress");
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
    command->callback([given, &status] {
        given->command = own_command();
        replay(*given, status);
    });
}

} // namespace palloc::bench
