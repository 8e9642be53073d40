// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <optional>
#include <palloc_bench/campaign.hpp>
#include <palloc_bench/commands.hpp>
#include <palloc_bench/trace_reader.hpp>
#include <random>
#include <set>
#include <string_view>
#include <vector>

#include "trace_file.hpp"

namespace bench = palloc::bench;
using namespace std::chrono_literals;

namespace {

constexpr auto make = bench::make_contender<bench::new_delete_contender>;
const bench::composition plain{"plain", "", make};
const bench::composition chosen{"chosen", "", make};
const bench::composition shared{"shared", "", make, bench::standing::pool, true};

bench::trace read_random(std::size_t threads) {
    std::mt19937_64 random(palloc::test::seed());
    const palloc::test::temporary_file file(
        palloc::test::make_random_trace(random, threads, 2000).text);
    return bench::read_trace(file.path());
}

} // namespace

BOOST_AUTO_TEST_CASE(what_decides_is_repeated_though_it_takes_long) {
    const bench::composition preset{"preset", "", make, bench::standing::preset};
    const bench::composition baseline{"baseline", "", make, bench::standing::baseline};
    const bench::trace program = read_random(1);
    const std::vector<const bench::composition*> pools{&plain, &chosen, &preset, &baseline};
    bench::campaign_options options{.repetitions = 5,
                                    .replay_limit = 1h,
                                    .cell_time = 1ns,
                                    .least_repetitions = 3,
                                    .baseline = "chosen"};
    const auto replays = [&](const bench::composition& of) {
        const auto report = bench::measure_all(program, pools, options);
        for (const bench::cell& each : report.cells)
            if (each.pool == &of)
                return each.samples.size();
        return std::size_t{0};
    };
    BOOST_TEST(replays(plain) == 1u);
    for (const bench::composition* each : {&chosen, &preset, &baseline})
        BOOST_TEST(replays(*each) == 3u, each->name);
    options.least_repetitions_of_others = 2;
    BOOST_TEST(replays(plain) == 2u);
    BOOST_TEST(replays(preset) == 3u);
    options.decisive_cell_time = 1h;
    BOOST_TEST(replays(plain) == 2u);
    BOOST_TEST(replays(preset) == 5u);
    options.end = std::chrono::steady_clock::now();
    BOOST_TEST(replays(preset) == 1u);
}

BOOST_AUTO_TEST_CASE(nothing_is_looked_into_when_time_is_over) {
    const std::vector<const bench::composition*> pools{&plain};
    const auto report = bench::measure_all(read_random(1), pools,
                                           {.repetitions = 3,
                                            .replay_limit = 1h,
                                            .end = std::chrono::steady_clock::now(),
                                            .latency = bench::campaign_options::detail::of_all,
                                            .inspection = bench::campaign_options::detail::of_all});
    BOOST_TEST(report.cells[0].measured());
    BOOST_TEST(!report.cells[0].latency);
    BOOST_TEST(!report.cells[0].inspected);
    BOOST_TEST(report.cells[0].not_seen.size() == 2u);
}

BOOST_AUTO_TEST_CASE(only_what_can_run_gets_time) {
    const bench::composition preset{"preset", "", make, bench::standing::preset, true};
    const std::vector<const bench::composition*> pools{&plain, &shared, &preset};
    BOOST_TEST(bench::time_parts(pools, 1, {}) == 2 + bench::decisive_weight);
    BOOST_TEST(bench::time_parts(pools, 4, {}) == 1 + bench::decisive_weight);
    BOOST_TEST(bench::time_parts(pools, 4, "shared") == 2 * bench::decisive_weight);
}

BOOST_AUTO_TEST_CASE(all_the_compositions_and_baselines_there_should_be_are_listed) {
    std::set<std::string_view> baselines;
    std::set<std::string_view> pools;
    std::set<std::string_view> presets;
    for (const bench::composition* each : bench::compositions_matching(".")) {
        auto& of = each->role == bench::standing::baseline ? baselines
                   : each->role == bench::standing::preset ? presets
                                                           : pools;
        BOOST_TEST(of.insert(each->name).second, each->name);
    }
    const std::set<std::string_view> expected{
        "std::pmr::unsynchronized_pool_resource", "std::pmr::synchronized_pool_resource",
        "std::pmr::monotonic_buffer_resource", "std::pmr::new_delete_resource"};
    BOOST_TEST((baselines == expected));
    BOOST_TEST(pools.size() + presets.size() >= 24u);
    BOOST_TEST(
        (presets == std::set<std::string_view>{"general_purpose", "general_purpose_shared"}));
}

BOOST_AUTO_TEST_CASE(every_pool_tells_its_fragmentation) {
    for (const bench::composition* each : bench::compositions_matching(".")) {
        if (each->role == bench::standing::baseline)
            continue;
        const auto made = each->make({});
        std::vector<void*> blocks(32);
        for (void*& block : blocks)
            block = made->resource().allocate(5000, 16);
        for (std::size_t i = 0; i < blocks.size(); i += 2) // holes
            made->resource().deallocate(blocks[i], 5000, 16);
        const std::optional<double> told = made->fragmentation();
        BOOST_TEST_REQUIRE(told.has_value(), each->name);
        BOOST_TEST((*told > 0 && *told < 1), each->name << ": " << *told);
        for (std::size_t i = 1; i < blocks.size(); i += 2)
            made->resource().deallocate(blocks[i], 5000, 16);
    }
}
