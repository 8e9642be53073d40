// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>
#include <palloc_bench/json_report.hpp>
#include <palloc_bench/statistics.hpp>
#include <palloc_bench/text_report.hpp>
#include <palloc_bench/verdict.hpp>
#include <string>
#include <vector>

#include "made_up_results.hpp"

namespace bench = palloc::bench;
using nlohmann::json;
using palloc::test::cut;
using palloc::test::failed;
using palloc::test::general;
using palloc::test::on;
using palloc::test::plain;
using palloc::test::refusing;
using palloc::test::shared;
using palloc::test::skipped;
using palloc::test::synchronized_pool;
using palloc::test::unsynchronized_pool;
using palloc::test::whole;

BOOST_AUTO_TEST_CASE(median_and_spread) {
    BOOST_TEST(bench::summarize({3}).median == 3);
    BOOST_TEST(bench::summarize({3}).spread == 0);
    BOOST_TEST(bench::summarize({4, 1, 3, 2}).median == 2.5);
    const bench::summary five = bench::summarize({50, 10, 20, 40, 30});
    BOOST_TEST(five.median == 30);
    BOOST_TEST(five.spread == 20.0 / 30.0);
    BOOST_TEST(bench::summarize({0, 0}).spread == 0);
}

BOOST_AUTO_TEST_CASE(winners_are_whole_replays) {
    const auto report = on("t", 1,
                           {cut(whole(plain, 1, 10)), refusing(whole(general, 2, 20)),
                            whole(unsynchronized_pool, 9, 3000), whole(synchronized_pool, 12, 2000),
                            failed(plain, "WRONG")});
    BOOST_TEST(bench::fastest(report)->pool == &unsynchronized_pool);
    BOOST_TEST(bench::leanest(report)->pool == &synchronized_pool);
    BOOST_TEST(bench::fastest(on("t", 1, {skipped(plain)})) == nullptr);
}

BOOST_AUTO_TEST_CASE(preset_is_held_to_the_baseline_of_its_kind) {
    std::vector<bench::trace_report> reports{
        on("one", 1,
           {whole(general, 5, 10), whole(shared, 8, 10), whole(unsynchronized_pool, 6, 9),
            whole(synchronized_pool, 1, 1)}),
        on("two", 1, {whole(general, 5, 9), whole(unsynchronized_pool, 6, 9)}),
        on("many", 4,
           {whole(shared, 7, 1), whole(synchronized_pool, 6, 9), skipped(unsynchronized_pool)}),
        on("alone", 1, {whole(general, 7, 1)}),
    };
    auto got = bench::contests(reports);
    BOOST_REQUIRE(got.size() == 2u); // what threads share is not held to what one alone can do
    BOOST_TEST(got[0].preset == general.name);
    BOOST_TEST(got[1].preset == shared.name);
    BOOST_TEST(got[0].baseline == unsynchronized_pool.name);
    BOOST_TEST(got[0].traces == 2u);
    BOOST_TEST(got[0].faster == 2u);
    BOOST_TEST(got[0].no_larger == 1u);
    BOOST_TEST(got[0].won());
    BOOST_TEST(got[1].baseline == synchronized_pool.name);
    BOOST_TEST(got[0].replays == 3u);
    BOOST_TEST(got[1].traces == 1u);
    BOOST_TEST(got[1].faster == 0u);
    BOOST_TEST(!got[1].won());

    reports.push_back(on("cut", 1, {cut(whole(general, 1, 1)), whole(unsynchronized_pool, 6, 9)}));
    got = bench::contests(reports);
    BOOST_TEST(got[0].traces == 3u);
    BOOST_TEST(got[0].faster == 2u);
    BOOST_TEST(!got[0].won());
}

BOOST_AUTO_TEST_CASE(json_has_the_shape_of_google_benchmark) {
    bench::cell known = whole(general, 5, 1500);
    known.fragmentation = 0.25;
    const std::vector<bench::trace_report> reports{
        on("lua", 1, {known, cut(whole(plain, 9, 1))}),
        on("redis", 6,
           {failed(synchronized_pool, "killed by signal 11"), skipped(unsynchronized_pool)}),
    };
    const json got = json::parse(bench::json_of(reports).dump());

    const json& context = got.at("context");
    for (const char* const text : {"date", "host_name", "executable", "library_build_type"})
        BOOST_TEST(context.at(text).is_string(), text);
    for (const char* const number : {"num_cpus", "mhz_per_cpu"})
        BOOST_TEST(context.at(number).is_number_integer(), number);
    for (const char* const list : {"caches", "load_avg"})
        BOOST_TEST(context.at(list).is_array(), list);
    BOOST_TEST(context.at("skipped").at(0).at("name") ==
               "redis/std::pmr::unsynchronized_pool_resource");

    const json& all = got.at("benchmarks");
    BOOST_REQUIRE(all.size() == 3u);
    for (const json& each : all) {
        for (const char* const text : {"name", "run_name", "run_type", "time_unit"})
            BOOST_TEST(each.at(text).is_string(), text);
        for (const char* const number : {"family_index", "per_family_instance_index", "repetitions",
                                         "repetition_index", "threads", "iterations"})
            BOOST_TEST(each.at(number).is_number_unsigned() == true, number);
        for (const char* const time : {"real_time", "cpu_time"})
            BOOST_TEST(each.at(time).is_number(), time);
        BOOST_TEST(each.at("time_unit") == "ns");
    }

    const json& first = all[0];
    BOOST_TEST(first.at("name") == "lua/general");
    BOOST_TEST(first.at("real_time") == 5.0);
    BOOST_TEST(first.at("iterations") == 100);
    BOOST_TEST(first.at("samples_ns").size() == 3u);
    BOOST_TEST(first.at("spread") == 0.25);
    BOOST_TEST(first.at("harness_ns") == 4.5);
    BOOST_TEST(first.at("peak_bytes") == 1500);
    BOOST_TEST(first.at("peak_live_bytes") == 1000);
    BOOST_TEST(first.at("overhead_ratio") == 1.5);
    BOOST_TEST(first.at("fragmentation") == 0.25);
    BOOST_TEST(first.at("failures") == 0);
    BOOST_TEST(first.at("completed") == 1.0);
    BOOST_TEST(!first.contains("error_occurred"));
    BOOST_TEST(!first.contains("label"));

    BOOST_TEST(all[1].at("label") == "cut at 37.00 %");
    BOOST_TEST(!all[1].contains("fragmentation"));
    BOOST_TEST(all[2].at("name") == "redis/std::pmr::synchronized_pool_resource");
    BOOST_TEST(all[2].at("threads") == 6);
    BOOST_TEST(all[2].at("error_occurred") == true);
    BOOST_TEST(all[2].at("error_message") == "killed by signal 11");
}

BOOST_AUTO_TEST_CASE(tables_say_what_happened_to_each_cell) {
    const auto report =
        on("lua", 1,
           {whole(general, 5, 3 << 20), cut(whole(plain, 9, 1)),
            failed(synchronized_pool, "killed by signal 11"), skipped(unsynchronized_pool)});
    const std::string table = bench::table_of(report);
    for (const char* const text :
         {"lua: 100 operations, 1 thread", "general", "3.00 MiB", "cut at 37 %",
          "killed by signal 11", "skipped: needs one thread", "4.5 ns of the harness"})
        BOOST_TEST(table.find(text) != std::string::npos, text);

    const std::string end = bench::conclusion_of(
        std::vector{on("one", 1, {whole(general, 5, 10), whole(unsynchronized_pool, 6, 9)})});
    BOOST_TEST(end.find("general, single-threaded traces, against "
                        "std::pmr::unsynchronized_pool_resource: faster on 1 of 1, no more memory "
                        "on 0 of 1: NOT ahead (medians of 3 replays or more)") !=
               std::string::npos);
    bench::cell once = whole(general, 5, 10);
    once.samples = {5};
    BOOST_TEST(
        bench::conclusion_of(std::vector{on("one", 1, {once, whole(unsynchronized_pool, 6, 9)})})
            .find("NOT ahead (some of it by a single replay)") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(those_that_refuse_are_listed_by_who_fails_first) {
    const auto refusing_at = [](const bench::composition& pool, std::uint64_t operation,
                                bench::refusals why) {
        bench::cell made = whole(pool, 5, 10);
        made.refused = why.full + why.fragmented;
        made.first_refused_at = operation;
        made.why_refused = why;
        return made;
    };
    const std::string text = bench::failures_of(on(
        "t", 1,
        {refusing_at(general, 46, {0, 8}), whole(shared, 5, 10), refusing_at(plain, 9, {2, 1}),
         cut(refusing_at(shared, 20, {5, 0})), failed(synchronized_pool, "killed by signal 11")}));
    const auto line = [&](const std::string& name, const std::string& what) {
        const auto at = text.find(what);
        BOOST_REQUIRE_MESSAGE(at != std::string::npos, text);
        const auto begin = text.rfind('\n', at) + 1;
        BOOST_TEST(text.substr(begin).starts_with("  " + name + ' '), text);
        return at;
    };
    const auto first = line("plain", "at operation 10; 3 requests refused: 2 full, 1 fragmented");
    const auto second = line("shared", "at operation 21; 5 requests refused: 5 full, 0 fragmented");
    const auto third = line("general", "at operation 47; 8 requests refused: 0 full, 8 fragmented");
    BOOST_TEST(first < second);
    BOOST_TEST(second < third);
    BOOST_TEST(text.find("killed") == std::string::npos);
    BOOST_TEST(bench::failures_of(on("t", 1, {whole(plain, 5, 10)})).empty());
}
