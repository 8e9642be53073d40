// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "micro/bar.hpp"
#include "micro/measuring.hpp"
#include "micro/question.hpp"
#include "palloc_bench/commands.hpp"

using namespace palloc::bench::micro;

namespace {

const figures measured{
    {"slow", {.ns = {900, 1000, 1300}}},
    {"fast", {.ns = {1, 3, 2}}},
    {"miss", {.ns = {100}}},
    {"nothing", {.ns = {0}}},
    {"counted", {.ns = {5}, .counters = {{"failures", {0, 7, 2}}}}},
};

bar promise(demand wanted, double limit, reading value, std::optional<reading> minus = {},
            std::optional<reading> per = {}) {
    return {.text = "text",
            .wanted = wanted,
            .limit = limit,
            .unit = " units",
            .value = std::move(value),
            .minus = std::move(minus),
            .per = std::move(per)};
}

void expect(const bar& judged, verdict answer, double figure) {
    const judgement got = judge(judged, measured);
    BOOST_TEST((got.answer == answer), to_string(got.answer) << " is not " << to_string(answer));
    BOOST_TEST(got.figure == figure);
}

experiment step(std::string name) {
    return {.name = std::move(name),
            .measure =
                [](benchmark::State& state) {
                    for (auto _ : state)
                        state.SetIterationTime(1e-6);
                    state.counters["answer"] = 42;
                },
            .times_itself = true,
            .iterations = 10,
            .repetitions = 3};
}

} // namespace

BOOST_AUTO_TEST_CASE(a_reading_is_the_median_time_or_the_largest_count) {
    BOOST_TEST(read(measured, {"slow"}).value() == 1000);
    BOOST_TEST(read(measured, {"fast"}).value() == 2);
    BOOST_TEST(read(measured, {"counted", "failures"}).value() == 7);
    BOOST_TEST(!read(measured, {"counted", "successes"}));
    BOOST_TEST(!read(measured, {"unheard of"}));
}

BOOST_AUTO_TEST_CASE(a_bar_is_held_up_to_its_limit) {
    expect(promise(demand::at_least, 500, {"slow"}, {}, reading{"fast"}), verdict::held, 500);
    expect(promise(demand::at_least, 501, {"slow"}, {}, reading{"fast"}), verdict::missed, 500);
    expect(promise(demand::at_most, 500, {"slow"}, {}, reading{"fast"}), verdict::held, 500);
    expect(promise(demand::at_most, 499, {"slow"}, {}, reading{"fast"}), verdict::missed, 500);
    expect(promise(demand::none, 0, {"slow"}, {}, reading{"fast"}), verdict::shown, 500);
}

BOOST_AUTO_TEST_CASE(a_bar_may_compare_a_difference_or_a_count) {
    expect(promise(demand::at_most, 3, {"slow"}, reading{"fast"}, reading{"miss"}), verdict::missed,
           9.98);
    expect(promise(demand::at_most, 3, {"fast"}, reading{"slow"}, reading{"miss"}), verdict::held,
           -9.98);
    expect(promise(demand::at_most, 0, {"counted", "failures"}), verdict::missed, 7);
}

BOOST_AUTO_TEST_CASE(a_bar_that_lacks_a_figure_is_not_measured) {
    expect(promise(demand::at_most, 3, {"unheard of"}), verdict::not_measured, 0);
    expect(promise(demand::at_most, 3, {"fast"}, reading{"unheard of"}), verdict::not_measured, 0);
    expect(promise(demand::at_most, 3, {"fast"}, {}, reading{"counted", "successes"}),
           verdict::not_measured, 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_number_has_missed) {
    for (const demand each : {demand::at_least, demand::at_most}) {
        const judgement infinite =
            judge(promise(each, 3, {"fast"}, {}, reading{"nothing"}), measured);
        BOOST_TEST((infinite.answer == verdict::missed));
        BOOST_TEST(std::isinf(infinite.figure));
        const judgement none =
            judge(promise(each, 3, {"nothing"}, {}, reading{"nothing"}), measured);
        BOOST_TEST((none.answer == verdict::missed));
    }
}

BOOST_AUTO_TEST_CASE(a_report_names_verdict_figure_limit_and_benchmarks) {
    const std::string text =
        report(promise(demand::at_least, 400, {"slow"}, {}, reading{"fast"}), measured);
    for (const char* part : {"held", "text: 500 units", "at least 400 units", "slow",
                             "median     1 us", "fast", "least     1 ns"})
        BOOST_TEST(text.find(part) != std::string::npos, part << " in " << text);
    const std::string unknown = report(promise(demand::at_most, 400, {"unheard of"}), measured);
    BOOST_TEST(unknown.find("at most 400 units") != std::string::npos, unknown);
    BOOST_TEST(unknown.find("held") == std::string::npos, unknown);
}

BOOST_AUTO_TEST_CASE(every_bar_rests_on_benchmarks_that_exist) {
    std::set<std::string> names;
    std::size_t bars = 0;
    const std::vector<question> questions = all_questions();
    for (const question& each : questions)
        for (const experiment& it : each.experiments)
            BOOST_TEST(names.insert(it.name).second, it.name << " twice");
    for (const question& each : questions)
        for (const bar& it : each.bars) {
            ++bars;
            for (const reading& part : it.readings())
                BOOST_TEST(names.contains(part.benchmark), part.benchmark << " of " << it.text);
        }
    BOOST_TEST(bars >= 10);
}

// One of each kind that needs neither a large pool nor long, and all that bars read counters of.
BOOST_AUTO_TEST_CASE(benchmarks_run_and_count_what_their_bars_read) {
    const std::set<std::string> small{"first_fit/indexed/1MiB/90%",
                                      "best_fit/indexed/1MiB/50%",
                                      "64B/fixed_size/pair",
                                      "64B/pool/flat/random",
                                      "policies/flat, recorder",
                                      "policies/atomic, boundary",
                                      "shared/spread/0%/2_threads",
                                      "shared/same_word_cas/2_threads",
                                      "processes/spread/0%/2_processes",
                                      "two_blocks/1_granule",
                                      "two_blocks/32_granules",
                                      "two_blocks/100_granules",
                                      "64TiB/indexed",
                                      "given_back/1GiB",
                                      "jit/allocate/palloc lazy"};
    std::vector<experiment> chosen;
    std::vector<bar> bars;
    for (const question& each : all_questions()) {
        for (experiment it : each.experiments)
            if (small.contains(it.name)) {
                it.iterations = std::min<std::int64_t>(it.iterations + 1, 100);
                it.repetitions = 1;
                chosen.push_back(std::move(it));
            }
        bars.insert(bars.end(), each.bars.begin(), each.bars.end());
    }
    BOOST_REQUIRE(chosen.size() == small.size());
    std::ostringstream table;
    const outcome got = measure(chosen, table);
    BOOST_TEST(got.failed.empty());
    for (const std::string& name : small) {
        BOOST_TEST(got.measured.contains(name), name);
        BOOST_TEST(table.str().find(name) != std::string::npos, name);
    }
    // These touch 1 GiB time and again.
    const std::set<std::string> long_ones{"fault_in/hugepage/base", "fault_in/hugepage/transparent",
                                          "fault_in/hugepage/huge"};
    for (const bar& it : bars)
        for (const reading& part : it.readings())
            if (!part.counter.empty() && !long_ones.contains(part.benchmark))
                BOOST_TEST(read(got.measured, part).has_value(), part.benchmark << part.counter);
}

BOOST_AUTO_TEST_CASE(figures_of_all_repetitions_are_kept_shown_and_written) {
    std::ostringstream table;
    std::ostringstream file;
    const outcome got = measure({step("one"), step("two")}, table, &file);
    BOOST_TEST(got.measured.at("one").ns.size() == 3);
    BOOST_TEST(std::abs(read(got.measured, {"two"}).value() - 1000) < 1);
    BOOST_TEST(read(got.measured, {"one", "answer"}).value() == 42);
    for (const char* row : {"one_min", "one_median", "two_min", "answer=42"})
        BOOST_TEST(table.str().find(row) != std::string::npos, row << " in " << table.str());
    BOOST_TEST(table.str().find("one_mean") == std::string::npos);
    std::set<std::string> names;
    const auto json = nlohmann::json::parse(file.str());
    for (const auto& each : json.at("benchmarks"))
        names.insert(each.at("name"));
    for (const char* name : {"one", "two", "one_median", "two_min"})
        BOOST_TEST(names.contains(name), name);
}

BOOST_AUTO_TEST_CASE(a_benchmark_that_throws_is_named_and_stops_no_other) {
    experiment broken = step("broken");
    broken.measure = [](benchmark::State&) { throw std::runtime_error("no room"); };
    std::ostringstream table;
    const outcome got = measure({broken, step("sound")}, table);
    BOOST_REQUIRE(got.failed.size() == 1);
    BOOST_TEST(got.failed.at("broken") == "no room");
    BOOST_TEST(!got.measured.contains("broken"));
    BOOST_TEST(got.measured.at("sound").ns.size() == 3);
}

BOOST_AUTO_TEST_CASE(a_benchmark_that_this_machine_cannot_run_is_skipped_by_name) {
    experiment beyond = step("beyond");
    beyond.measure = [](benchmark::State&) { throw not_on_this_machine("no such unit"); };
    std::ostringstream table;
    const outcome got = measure({beyond, step("sound")}, table);
    BOOST_TEST(got.failed.empty());
    BOOST_REQUIRE(got.skipped.size() == 1);
    BOOST_TEST(got.skipped.at("beyond") == "no such unit");
    BOOST_TEST(!got.measured.contains("beyond"));
    BOOST_TEST(got.measured.at("sound").ns.size() == 3);
}

/// Windows by key cost nanoseconds, and others system calls: each bar must see its own kind.
BOOST_AUTO_TEST_CASE(windows_with_and_without_keys_are_told_apart) {
    std::vector<experiment> chosen;
    for (const question& each : all_questions())
        for (experiment it : each.experiments)
            if (it.name.starts_with("protected/window") || it.name.starts_with("protected/copy")) {
                it.iterations = 1000;
                it.repetitions = 3;
                chosen.push_back(std::move(it));
            }
    std::ostringstream table;
    const outcome got = measure(chosen, table);
    BOOST_TEST(got.failed.empty());
    const auto ns = [&](const char* name) { return read(got.measured, {name}).value(); };
    BOOST_TEST(ns("protected/window without keys") > ns("protected/window, bare calls") / 2);
    BOOST_TEST(ns("protected/copy without keys") > ns("protected/copy, bare call") / 2);
    if (got.skipped.empty())
        BOOST_TEST(ns("protected/window by key") < ns("protected/window without keys") / 2);
    else
        BOOST_TEST(got.skipped.at("protected/window by key") == "no protection keys");
}

BOOST_AUTO_TEST_CASE(wrong_arguments_are_refused_before_anything_is_measured) {
    for (const char* arguments :
         {"micro --filter (", "micro --filter nobody_is_called_so", "micro --json /nowhere/file"}) {
        int status = 0;
        CLI::App program;
        palloc::bench::add_micro_command(program, status);
        BOOST_CHECK_THROW(program.parse(arguments), palloc::bench::usage_error);
    }
}
