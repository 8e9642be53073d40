// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "comparison.hpp"

namespace palloc::bench {
namespace {

nlohmann::json read_figures(const std::string& file) {
    std::ifstream in(file);
    if (!in)
        throw usage_error(file + ": cannot be opened");
    try {
        return nlohmann::json::parse(in);
    } catch (const nlohmann::json::exception& error) {
        throw usage_error(fmt::format("{}: {}", file, error.what()));
    }
}

} // namespace

void add_compare_command(CLI::App& program) {
    struct arguments {
        std::string before;
        std::string after;
        comparison_options options;
    };
    CLI::App* const command = program.add_subcommand(
        "compare", "Two runs, from the files that replay --json wrote: the ratio of each cell, "
                   "and whether it is a difference.");
    const auto given = std::make_shared<arguments>();
    command->add_option("before", given->before, "The first run")->type_name("FILE")->required();
    command->add_option("after", given->after, "The second run")->type_name("FILE")->required();
    command
        ->add_option("--confidence", given->options.confidence,
                     "Of each cell's interval (default: 0.99)")
        ->check(CLI::Range(0.5, 0.9999));
    command
        ->add_option("--threshold", given->options.threshold,
                     "Changes of no more than this share are called none (default: 0.03)")
        ->check(CLI::Range(0.0, 10.0));
    command->callback([given] {
        const auto before = read_figures(given->before);
        const auto after = read_figures(given->after);
        try {
            fmt::print("{}", text_of(compare(before, after, given->options), given->options));
        } catch (const std::runtime_error& error) {
            throw usage_error(fmt::format("{}, {}: {}", given->before, given->after, error.what()));
        }
    });
    command->footer("A cell is called different where the whole interval lies beyond the\n"
                    "threshold. Intervals need samples: seven replays of each give 99 %.");
}

} // namespace palloc::bench
