// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "bar.hpp"
#include "measuring.hpp"
#include "palloc_bench/commands.hpp"
#include "question.hpp"

namespace palloc::bench {
namespace micro {

std::vector<question> all_questions() {
    return {
        ask_cache_miss(),       ask_mixed_sizes(),   ask_fixed_size(),    ask_policy_costs(),
        ask_two_threads(),      ask_two_processes(), ask_two_blocks(),    ask_huge_pool(),
        ask_fault_in(),         ask_recorder(),      ask_jit_functions(), ask_protected_pools(),
        ask_typed_allocators(),
    };
}

namespace {

struct arguments {
    std::string filter = ".";
    std::string json_file;
    bool list = false;
    bool strict = false;
};

std::vector<experiment> experiments_matching(const std::vector<question>& questions,
                                             const std::string& filter) {
    std::vector<experiment> chosen;
    try {
        const std::regex pattern(filter);
        for (const question& each : questions)
            std::ranges::copy_if(
                each.experiments, std::back_inserter(chosen),
                [&](const experiment& it) { return std::regex_search(it.name, pattern); });
    } catch (const std::regex_error& error) {
        throw usage_error(fmt::format("--filter '{}': {}", filter, error.what()));
    }
    if (chosen.empty())
        throw usage_error(fmt::format("--filter '{}': no benchmark has such a name", filter));
    return chosen;
}

/// Answers how many were missed.
std::size_t show_bars(const std::vector<question>& questions, const figures& measured) {
    std::size_t missed = 0;
    std::cout << "\nBars\n";
    for (const question& each : questions)
        for (const bar& promise : each.bars) {
            std::cout << report(promise, measured);
            missed += judge(promise, measured).answer == verdict::missed;
        }
    return missed;
}

void run(const arguments& given, int& status) {
    const std::vector<question> questions = all_questions();
    const std::vector<experiment> chosen = experiments_matching(questions, given.filter);
    if (given.list) {
        std::cout << "Benchmarks\n";
        for (const experiment& each : chosen)
            std::cout << "        " << each.name << '\n';
        show_bars(questions, {});
        return;
    }
    std::ofstream json_file;
    if (!given.json_file.empty()) {
        json_file.open(given.json_file);
        if (!json_file)
            throw usage_error(fmt::format("--json {}: cannot be written", given.json_file));
    }
    fmt::print(stderr, "measuring {} benchmarks ...\n", chosen.size());
    const outcome got = measure(chosen, std::cout, json_file.is_open() ? &json_file : nullptr);
    const std::size_t missed = show_bars(questions, got.measured);
    for (const auto& [name, why] : got.skipped)
        std::cout << "skipped: " << name << ": " << why << '\n';
    for (const auto& [name, why] : got.failed)
        fmt::print(stderr, "palloc-bench: {}: {}\n", name, why);
    if (!got.failed.empty() || (given.strict && missed != 0))
        status = EXIT_FAILURE;
    if (json_file.is_open() && !json_file.flush())
        throw usage_error(fmt::format("--json {}: cannot be written", given.json_file));
}

} // namespace
} // namespace micro

void add_micro_command(CLI::App& program, int& status) {
    CLI::App* const command = program.add_subcommand(
        "micro", "Measures single operations, and says whether the bars are held.");
    const auto given = std::make_shared<micro::arguments>();
    command
        ->add_option("--filter", given->filter,
                     "Only benchmarks whose name this REGEX finds, and the bars that rest on them")
        ->type_name("REGEX");
    command
        ->add_option("--json", given->json_file,
                     "Also write the figures here, in Google Benchmark's format")
        ->type_name("FILE");
    command->add_flag("--list", given->list, "Only name the benchmarks and the bars");
    command->add_flag("--strict", given->strict, "Exit with 1 when a bar is missed");
    command->footer(
        "Most benchmarks are repeated 15 times for 20 ms, the repetitions of all in random order.\n"
        "The table shows the least and the median of them, in ns per pair: an allocation and its\n"
        "free. It is the processor's time (CPU) that counts, but for first_fit, best_fit, shared,\n"
        "processes and two_blocks the time that passes (Time). Bars compare medians; other work on "
        "the\n"
        "machine hurts them.\n"
        "first_fit, best_fit: pairs of 64 to 4096 bytes in a pool that such pairs have worn, each\n"
        "timed by itself, less what reading the clock takes. held% is the part of the pool that\n"
        "was in use on average, failed% that of the attempts that found no room; those are not\n"
        "timed.\n"
        "shared, processes, two_blocks: threads, or processes, run side by side, on a processor\n"
        "each, 2 ms at a time; times in which they had it for less than 96 % do not count, unless\n"
        "there are no others: then on_cpu%\n"
        "says how much they had, and the figures say little.");
    command->callback([given, &status] { micro::run(*given, status); });
}

} // namespace palloc::bench
