// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "comparison.hpp"

namespace palloc::bench {
namespace {

using nlohmann::json;

/// Through a text, and counts the lines on the way: the parser tells of no places.
class line_counter {
  public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    line_counter(const char* at, std::size_t& line) noexcept : at_(at), line_(&line) {}
    reference operator*() const noexcept { return *at_; }
    line_counter& operator++() noexcept {
        *line_ += *at_ == '\n';
        ++at_;
        return *this;
    }
    bool operator==(const line_counter& other) const noexcept { return at_ == other.at_; }

  private:
    const char* at_;
    std::size_t* line_;
};

/// Why it is no entry of a run; empty: it is.
std::string what_is_wrong_with(const json& entry) {
    const auto name = entry.find("name");
    if (name == entry.end() || !name->is_string())
        return "an entry without a name";
    for (const char* const samples :
         {"samples_ns", "samples_gross_ns", "harness_samples_ns", "samples_peak_bytes"}) {
        const auto found = entry.find(samples);
        const bool numbers =
            found == entry.end() ||
            (found->is_array() && std::all_of(found->begin(), found->end(),
                                              [](const json& each) { return each.is_number(); }));
        if (!numbers)
            return fmt::format("{} of {} are not numbers", samples, name->get<std::string>());
    }
    return "";
}

json read_figures(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in)
        throw usage_error(file + ": cannot be opened");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    std::size_t line = 1;
    const auto complain = [&](std::size_t at, std::string_view what) {
        throw usage_error(fmt::format("{}:{}: {}", file, at, what));
    };
    if (text.empty())
        complain(line, "the file is empty");
    std::vector<std::size_t> lines; // where each entry of "benchmarks" begins
    bool inside = false;
    const auto see = [&](int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::key && depth == 1)
            inside = parsed == "benchmarks";
        if (event == json::parse_event_t::object_start && depth == 2 && inside)
            lines.push_back(line);
        return true;
    };
    json figures;
    try {
        figures = json::parse(line_counter(text.data(), line),
                              line_counter(text.data() + text.size(), line), see);
    } catch (const json::exception& error) {
        complain(line, error.what());
    }
    if (!figures.is_object() || !figures.contains("context") || !figures["context"].is_object() ||
        !figures.contains("benchmarks") || !figures["benchmarks"].is_array())
        complain(1, "is not what replay --json writes");
    const json& entries = figures["benchmarks"];
    for (std::size_t i = 0; i != entries.size(); ++i) {
        if (!entries[i].is_object())
            complain(1, "is not what replay --json writes: an entry is no object");
        if (const auto wrong = what_is_wrong_with(entries[i]); !wrong.empty())
            complain(lines[i], wrong);
    }
    return figures;
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
