// SPDX-License-Identifier: MIT
// Which composition is recommended, and in which words, on results whose answer is known by hand.
#include <boost/test/unit_test.hpp>

#include <palloc_bench/verdict.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "made_up_results.hpp"

namespace bench = palloc::bench;
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

namespace {

constexpr std::uint64_t MiB = std::uint64_t{1} << 20;
const bench::composition other{"other", "", nullptr};

std::vector<std::string_view> front_of(const bench::trace_report& report) {
    std::vector<std::string_view> names;
    for (const bench::cell* const each : bench::pareto_front(report))
        names.push_back(each->pool->name);
    return names;
}

void expect_front(const bench::trace_report& report, const std::vector<std::string_view>& names) {
    BOOST_TEST(front_of(report) == names, boost::test_tools::per_element());
}

void expect(const bench::trace_report& report, const bench::composition& winner,
            std::string_view reason, std::string_view baseline = {}) {
    const bench::recommendation got = bench::recommend(report, baseline);
    BOOST_REQUIRE(got.winner != nullptr);
    BOOST_TEST(got.winner->pool->name == winner.name);
    BOOST_TEST(got.reason == reason);
}

} // namespace

BOOST_AUTO_TEST_CASE(one_that_is_best_in_both_is_told_so) {
    expect(on("t", 1, {whole(plain, 4.04, 2 * MiB), whole(general, 5, 3 * MiB)}), plain,
           "plain serves this program best: 4.0 ns an operation and 2.00 MiB at most. Nothing is "
           "faster, and nothing needs less memory.");
}

BOOST_AUTO_TEST_CASE(fastest_within_a_quarter_is_told_with_the_leanest) {
    expect(on("t", 1, {whole(plain, 4, 5 * MiB), whole(general, 9, 4 * MiB)}), plain,
           "plain serves this program best: 4.0 ns an operation and 5.00 MiB at most. Nothing is "
           "faster; general needs the least memory, 4.00 MiB.");
}

BOOST_AUTO_TEST_CASE(fastest_beyond_a_quarter_is_told_and_passed_over) {
    // A byte more than the quarter.
    expect(on("t", 1,
              {whole(plain, 4, 5 * MiB + 1), whole(other, 6, 5 * MiB), whole(general, 9, 4 * MiB)}),
           other,
           "other serves this program best: 6.0 ns an operation and 5.00 MiB at most. It is the "
           "fastest of those that hold at most a quarter more than the leanest, general (4.00 "
           "MiB); plain is faster still (4.0 ns) but takes 5.00 MiB.");
}

BOOST_AUTO_TEST_CASE(leanest_wins_where_all_others_hold_more_than_a_quarter_more) {
    expect(on("t", 1, {whole(plain, 1, 10 * MiB), whole(general, 9, 4 * MiB)}), general,
           "general serves this program best: 9.0 ns an operation and 4.00 MiB at most. Nothing "
           "needs less memory, and all that are faster hold over a quarter more: the fastest, "
           "plain (1.0 ns), takes 10.00 MiB.");
}

BOOST_AUTO_TEST_CASE(of_equally_fast_ones_the_leaner_wins_whatever_their_order) {
    const auto heavy = whole(plain, 4, 5 * MiB);
    const auto light = whole(general, 4, 4 * MiB);
    for (const auto& report : {on("t", 1, {heavy, light}), on("t", 1, {light, heavy})}) {
        expect(report, general,
               "general serves this program best: 4.0 ns an operation and 4.00 MiB at most. "
               "Nothing is faster, and nothing needs less memory.");
        expect_front(report, {"general"});
        BOOST_TEST(bench::fastest(report)->pool == &general);
    }
    // Of what is equal in both, the first.
    const auto same = on("t", 1, {whole(other, 4, MiB), whole(plain, 4, MiB)});
    BOOST_TEST(bench::recommend(same).winner->pool == &other);
    expect_front(same, {"other"});
}

BOOST_AUTO_TEST_CASE(of_equally_lean_ones_the_faster_wins_whatever_their_order) {
    const auto quick = whole(plain, 4, 5 * MiB);
    const auto slow = whole(general, 9, 5 * MiB);
    for (const auto& report : {on("t", 1, {quick, slow}), on("t", 1, {slow, quick})}) {
        expect(report, plain,
               "plain serves this program best: 4.0 ns an operation and 5.00 MiB at most. Nothing "
               "is faster, and nothing needs less memory.");
        expect_front(report, {"plain"});
    }
}

BOOST_AUTO_TEST_CASE(only_whole_replays_that_served_all_are_recommended) {
    const auto report =
        on("t", 1,
           {cut(whole(plain, 1, 1 * MiB)), refusing(whole(general, 2, 1 * MiB)),
            whole(other, 9, 8 * MiB), failed(shared, "WRONG"), skipped(synchronized_pool)});
    // And what they held does not move the quarter.
    expect(report, other,
           "other serves this program best: 9.0 ns an operation and 8.00 MiB at most. Nothing is "
           "faster, and nothing needs less memory.");
    expect_front(report, {"other"});
}

BOOST_AUTO_TEST_CASE(where_nothing_came_to_the_end_nothing_is_recommended) {
    for (const auto& report :
         {on("t", 1, {}),
          on("t", 1,
             {cut(whole(plain, 1, MiB)), failed(shared, "WRONG"), skipped(synchronized_pool)})}) {
        const bench::recommendation got = bench::recommend(report);
        BOOST_TEST(got.winner == nullptr);
        BOOST_TEST(got.reason ==
                   "No composition replayed the trace to its end and served every request.");
        BOOST_TEST(front_of(report).empty());
    }
}

BOOST_AUTO_TEST_CASE(winner_is_held_to_the_baseline_of_as_many_threads) {
    const std::string start = "plain serves this program best: 4.0 ns an operation and 2.00 MiB at "
                              "most. Nothing is faster, and nothing needs less memory.";
    const auto beside = [](const bench::cell& rival) {
        return std::vector{whole(plain, 4, 2 * MiB), rival};
    };
    expect(on("t", 1, beside(whole(unsynchronized_pool, 10, 3 * MiB))), plain,
           start + " It is 2.50 times as fast as std::pmr::unsynchronized_pool_resource, with 33 % "
                   "less memory than it.");
    expect(on("t", 4, beside(whole(synchronized_pool, 6, 4 * MiB))), plain,
           start + " It is 1.50 times as fast as std::pmr::synchronized_pool_resource, with 50 % "
                   "less memory than it.");
    // Of the other number of threads, cut, or failed: no such sentence.
    expect(on("t", 4, beside(whole(unsynchronized_pool, 10, 3 * MiB))), plain, start);
    expect(on("t", 1, beside(cut(whole(unsynchronized_pool, 10, 3 * MiB)))), plain, start);
    expect(on("t", 1, beside(refusing(whole(unsynchronized_pool, 10, 3 * MiB)))), plain, start);
    expect(on("t", 1, beside(failed(unsynchronized_pool, "WRONG"))), plain, start);
}

BOOST_AUTO_TEST_CASE(baseline_is_the_one_that_was_asked_for) {
    const auto report = on("t", 1,
                           {whole(other, 0.01, 9 * MiB), whole(plain, 8, 5 * MiB),
                            whole(unsynchronized_pool, 8, 5 * MiB), whole(general, 9, 4 * MiB)});
    const std::string start =
        "plain serves this program best: 8.0 ns an operation and 5.00 MiB at most. It is the "
        "fastest of those that hold at most a quarter more than the leanest, general (4.00 MiB); "
        "other is faster still (0.0 ns) but takes 9.00 MiB.";
    expect(report, plain,
           start + " It is as fast as std::pmr::unsynchronized_pool_resource, with as much memory "
                   "as it.");
    expect(report, plain,
           start + " It is 1.12 times as fast as general, with 25 % more memory than it.",
           "general");
    // Below a tenth of a nanosecond the harness resolves nothing.
    expect(report, plain,
           start + " It is 80.00 times as slow as other, with 44 % less memory than it.", "other");
    expect(report, plain, start, "plain");
    expect(report, plain, start, "nobody");
}

BOOST_AUTO_TEST_CASE(front_has_whom_nothing_beats_by_time) {
    expect_front(on("t", 1,
                    {whole(general, 9, 2 * MiB), whole(plain, 4, 8 * MiB), whole(other, 6, 5 * MiB),
                     whole(shared, 7, 5 * MiB),                  // as lean as a faster one
                     whole(unsynchronized_pool, 9, 2 * MiB + 1), // as fast as a leaner one
                     whole(synchronized_pool, 10, 9 * MiB),      // beaten by all
                     cut(whole(plain, 1, 1))}),
                 {"plain", "other", "general"});
}
