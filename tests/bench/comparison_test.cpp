// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <palloc_bench/comparison.hpp>
#include <palloc_bench/statistics.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench_program.hpp"
#include "trace_file.hpp"

namespace bench = palloc::bench;
using nlohmann::json;

namespace {

std::vector<double> samples(std::mt19937_64& random, std::size_t count, double center) {
    std::lognormal_distribution<double> noise(0, 0.05);
    std::vector<double> made(count);
    for (double& each : made)
        each = center * noise(random);
    return made;
}

json run_of(const std::vector<std::vector<double>>& cells, double harness = 5) {
    json all = json::array();
    for (std::size_t i = 0; i != cells.size(); ++i)
        all.push_back({{"name", "t/pool" + std::to_string(i)},
                       {"samples_ns", cells[i]},
                       {"samples_peak_bytes", std::vector<double>(cells[i].size(), 4096)},
                       {"harness_ns", harness},
                       {"completed", 1.0},
                       {"failures", 0}});
    return {{"context", {{"cpu", "x"}}}, {"benchmarks", all}};
}

/// A run on a shared machine: it has a speed of its own, which drifts from round to round; samples
/// scatter, and now and then another program takes most of one's time.
class noisy_run {
  public:
    noisy_run(std::mt19937_64& random, int rounds) : random_(random) {
        double speed = std::exp(normal(0.2));
        for (int i = 0; i != rounds; ++i) {
            speeds_.push_back(speed *= std::exp(normal(0.03)));
            harness_.push_back(harness_ns * speed * std::exp(normal(0.1)));
        }
    }

    json of(const std::vector<double>& net_ns) {
        json all = json::array();
        for (std::size_t i = 0; i != net_ns.size(); ++i) {
            std::vector<double> gross, net, peaks(speeds_.size(), 4096);
            for (const double speed : speeds_) {
                gross.push_back((harness_ns + net_ns[i]) * speed * std::exp(normal(0.02)));
                if (std::uniform_real_distribution<>()(random_) < 0.1)
                    gross.back() *= std::uniform_real_distribution<>(1, 3)(random_);
                net.push_back(std::max(gross.back() - median(harness_), 0.0));
            }
            all.push_back({{"name", "t/pool" + std::to_string(i)},
                           {"samples_ns", net},
                           {"samples_gross_ns", gross},
                           {"samples_peak_bytes", peaks},
                           {"harness_ns", median(harness_)},
                           {"harness_samples_ns", harness_},
                           {"completed", 1.0},
                           {"failures", 0}});
        }
        return {{"context", {{"cpu", "x"}}}, {"benchmarks", all}};
    }

  private:
    static constexpr double harness_ns = 5;

    double normal(double spread) { return std::normal_distribution<>(0, spread)(random_); }
    static double median(std::vector<double> of) { return bench::summarize(std::move(of)).median; }

    std::mt19937_64& random_;
    std::vector<double> speeds_;
    std::vector<double> harness_;
};

} // namespace

BOOST_AUTO_TEST_CASE(interval_is_that_of_the_tables) {
    // Mann-Whitney, n = m = 7: U up to 4 is beyond 99 %, up to 8 beyond 95 %.
    std::vector<double> a, b;
    for (int i = 0; i != 7; ++i) {
        a.push_back(1);
        b.push_back(1 + i);
    }
    const auto wide = bench::ratio_of(a, b, 0.99);
    BOOST_TEST(wide.ratio == 4);
    BOOST_TEST(wide.low == 1); // the fifth smallest of 49
    BOOST_TEST(wide.high == 7);
    const auto narrow = bench::ratio_of(a, b, 0.95);
    BOOST_TEST(narrow.low == 2); // the ninth
    BOOST_TEST(narrow.high == 6);
    BOOST_TEST(!bench::ratio_of({1, 2}, {1, 2}, 0.95).known());
}

BOOST_AUTO_TEST_CASE(interval_covers_the_truth_as_often_as_it_says) {
    std::mt19937_64 random(palloc::test::seed());
    int covered = 0;
    constexpr int rounds = 2000;
    for (int i = 0; i != rounds; ++i) {
        const auto got = bench::ratio_of(samples(random, 7, 10), samples(random, 7, 13), 0.95);
        covered += got.low <= 1.3 && 1.3 <= got.high;
    }
    BOOST_TEST(covered > 0.94 * rounds);
    BOOST_TEST(covered < rounds);
}

BOOST_AUTO_TEST_CASE(same_is_called_same_and_different_different) {
    std::mt19937_64 random(palloc::test::seed());
    std::vector<std::vector<double>> a, same, slower;
    for (int i = 0; i != 200; ++i) {
        a.push_back(samples(random, 7, 10 + i));
        same.push_back(samples(random, 7, 10 + i));
        slower.push_back(samples(random, 7, 1.5 * (10 + i)));
    }
    const auto alike = bench::compare(run_of(a), run_of(same), {});
    BOOST_TEST(alike.count(bench::change::none) >= 195u);
    const auto changed = bench::compare(run_of(a), run_of(slower), {});
    BOOST_TEST(changed.count(bench::change::slower) >= 195u);
    BOOST_TEST(bench::compare(run_of(slower), run_of(a), {}).count(bench::change::faster) >= 195u);
    // A machine that is slower altogether, as the harness shows, is no change.
    const auto machine = bench::compare(run_of(a, 5), run_of(slower, 7.5), {});
    BOOST_TEST(machine.count(bench::change::none) >= 195u);
    for (const auto& each : alike.cells)
        BOOST_TEST((each.in_memory == bench::change::none));
}

BOOST_AUTO_TEST_CASE(noise_is_called_no_difference) {
    std::mt19937_64 random(palloc::test::seed());
    std::vector<double> net_ns, thrice;
    for (int i = 0; i != 40; ++i) {
        net_ns.push_back(1 + 0.5 * i);
        thrice.push_back(3 * net_ns.back());
    }
    constexpr int pairs = 50;
    std::size_t alike = 0, pairs_alike = 0, told = 0;
    for (int i = 0; i != pairs; ++i) {
        const json first = noisy_run(random, 7).of(net_ns);
        const auto same = bench::compare(first, noisy_run(random, 7).of(net_ns), {});
        alike += same.count(bench::change::none);
        // Errors that cells have in common would come in whole pairs.
        pairs_alike += same.count(bench::change::none) * 100 >= net_ns.size() * 95;
        told +=
            bench::compare(first, noisy_run(random, 7).of(thrice), {}).count(bench::change::slower);
    }
    const std::size_t all = pairs * net_ns.size();
    BOOST_TEST(alike * 100 >= all * 98, alike << " of " << all);
    BOOST_TEST(pairs_alike * 100 >= pairs * 90u, pairs_alike << " of " << pairs);
    BOOST_TEST(told * 100 >= all * 60, told << " of " << all); // and not for want of a verdict
}

BOOST_AUTO_TEST_CASE(what_cannot_be_compared_says_why) {
    json a = run_of({{1, 2, 3}, {1}, {4}});
    json b = run_of({{1, 2, 3}, {1}});
    a["benchmarks"][1]["completed"] = 0.5;
    a["benchmarks"][1]["label"] = "cut at 50 %";
    b["context"]["cpu"] = "y";
    const auto got = bench::compare(a, b, {});
    BOOST_REQUIRE(got.cells.size() == 2u);
    BOOST_TEST(got.cells[0].remark == "3 and 3 samples are too few");
    BOOST_TEST(got.cells[1].remark == "cut at 50 %");
    BOOST_TEST(got.only_one == std::vector<std::string>{"t/pool2"},
               boost::test_tools::per_element());
    BOOST_TEST(got.warnings.size() == 1u);
    BOOST_CHECK_THROW((void)bench::compare(json::object(), b, {}), std::runtime_error);
    const std::string text = bench::text_of(got, {});
    BOOST_TEST(text.find("no verdict: cut at 50 %") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(two_runs_of_this_binary_show_no_difference) {
    const palloc::test::temporary_file first("", "a.json");
    const palloc::test::temporary_file second("", "b.json");
    const std::string arguments =
        "replay --quiet --repeat 7 --budget 10 --trace bench/traces/sqlite.trace.gz "
        "bench/traces/lua.trace.gz --pool '^general_purpose|^std::|best_fit-indexed|first_fit-"
        "indexed' --json ";
    // What another program does to the caches in one run may show in one pair of runs; a verdict of
    // the harness's own making would be in all.
    std::string shown;
    bool alike = false;
    for (int pair = 0; pair != 3 && !alike; ++pair) {
        for (const auto* file : {&first, &second})
            BOOST_REQUIRE(palloc::test::palloc_bench(arguments + file->path().string()).status ==
                          0);
        const auto got = bench::compare(json::parse(palloc::test::content_of(first.path())),
                                        json::parse(palloc::test::content_of(second.path())), {});
        const std::size_t decided = got.cells.size() - got.count(bench::change::unknown);
        BOOST_TEST(decided >= 10u);
        alike = got.count(bench::change::none) * 100 >= decided * 95;
        shown += bench::text_of(got, {});
        BOOST_TEST_MESSAGE(got.count(bench::change::none) << " of " << decided << " alike");
        palloc::test::expect("compare " + first.path().string() + " " + second.path().string(), 0,
                             std::to_string(got.count(bench::change::none)) + " no difference");
    }
    BOOST_TEST(alike, shown);
}

BOOST_AUTO_TEST_CASE(damaged_figures_are_named) {
    const palloc::test::temporary_file good("{\"context\": {}, \"benchmarks\": []}", "a.json");
    const palloc::test::temporary_file cut("{\n\"benchmarks\": [\n", "b.json");
    palloc::test::expect("compare " + good.path().string() + " " + cut.path().string(), 2,
                         cut.path().string() + ":3: ");
    for (const auto& [text, error] :
         {std::pair("", ":1: the file is empty"),
          {"[1, 2]\n", ":1: is not what replay --json writes"},
          {"{\n\"context\": {}\n}\n", ":1: is not what replay --json writes"},
          {"{\"context\": {}, \"benchmarks\": [\n7]}\n", ":1: is not what replay --json writes: "},
          {"{\"context\": {},\n\"traces\": [{}],\n\"benchmarks\": [\n{\"name\": \"a\"},\n{\"nam\": "
           "\"b\"}]}\n",
           ":5: an entry without a name"},
          {"{\"context\": {},\n\"benchmarks\": [\n{\"name\": \"a\",\n\"samples_ns\": [1, "
           "\"x\"]}]}\n",
           ":3: samples_ns of a are not numbers"}}) {
        const palloc::test::temporary_file bad(text, "c.json");
        palloc::test::expect("compare " + good.path().string() + " " + bad.path().string(), 2,
                             bad.path().string() + error);
        palloc::test::expect("compare " + bad.path().string() + " " + good.path().string(), 2,
                             bad.path().string() + error);
    }
}

BOOST_AUTO_TEST_CASE(memory_has_an_interval_too) {
    json a = run_of({{1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}});
    json b = a;
    a["benchmarks"][0]["samples_peak_bytes"] = {1, 1, 1, 1, 1, 1, 1};
    b["benchmarks"][0]["samples_peak_bytes"] = {1, 2, 3, 4, 5, 6, 7};
    a["benchmarks"][1].erase("samples_peak_bytes");
    bench::comparison_options options;
    options.confidence = 0.95;
    const auto got = bench::compare(a, b, options);
    BOOST_TEST(got.cells[0].memory.low == 2); // as interval_is_that_of_the_tables
    BOOST_TEST(got.cells[0].memory.high == 6);
    BOOST_TEST((got.cells[0].in_memory == bench::change::slower));
    const std::string text = bench::text_of(got, options);
    BOOST_TEST(text.find("no difference    4.000     [2.000, 6.000] more\n") != std::string::npos,
               text);
    BOOST_TEST(text.find("no difference  no samples of memory\n") != std::string::npos, text);
}
