// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>
#include <palloc/views.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <map>
#include <range/v3/algorithm/equal.hpp>
#include <range/v3/numeric/accumulate.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/filter.hpp>
#include <range/v3/view/transform.hpp>
#include <vector>

#include "support/check.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

template <class Bitmap>
using numbers = pool<sized_granule, fake_demand_paged, Bitmap, first_fit, unprotected>;
using marked = numbers<boundary<indexed>>;

template <class Pool>
concept shows_blocks = requires(const Pool& pool) { views::live_blocks(pool); };
static_assert(shows_blocks<marked> && !shows_blocks<numbers<flat>>);

constexpr std::uint64_t granule = 48;

/// A chunk of 100 granules at 0x10000, a newer one of 10 at 0x8000.
struct scene {
    fake_space space;
    marked pool{{}, sized_granule(granule), fake_demand_paged(space)};

    scene() {
        BOOST_TEST_REQUIRE(pool.add({.where = {0x10000, 100 * granule}}).has_value());
        BOOST_TEST_REQUIRE(pool.add({.where = {0x8000, 10 * granule}}).has_value());
    }
};

std::vector<range> all_of(auto&& view) {
    std::vector<range> elements;
    for (const range each : view)
        elements.push_back(each);
    return elements;
}

} // namespace

BOOST_AUTO_TEST_SUITE(pool_views)

BOOST_AUTO_TEST_CASE(an_empty_pool_has_nothing) {
    fake_space space;
    const marked pool({}, sized_granule(granule), fake_demand_paged(space));
    BOOST_TEST(views::chunks(pool).empty());
    BOOST_TEST(all_of(views::free_runs(pool)).empty());
    BOOST_TEST(all_of(views::live_blocks(pool)).empty());
}

BOOST_AUTO_TEST_CASE(chunks_come_newest_first) {
    const scene it;
    const auto bases = views::chunks(it.pool) |
                       ranges::views::transform([](const auto& chunk) { return chunk.where.base; });
    BOOST_TEST(ranges::equal(bases, std::vector<address>{0x8000, 0x10000}));
    BOOST_TEST(views::chunks(it.pool).size() == 2u);
}

BOOST_AUTO_TEST_CASE(runs_and_blocks_of_a_chunk) {
    scene it;
    const address first = it.pool.allocate(1).value();
    const address second = it.pool.allocate(3 * granule).value();
    const address third = it.pool.allocate(100).value();
    BOOST_TEST(it.pool.deallocate(second).has_value());
    const auto& chunk = *it.pool.find(first);
    const std::vector<range> free{{first + granule, 3 * granule},
                                  {third + 3 * granule, 3 * granule}};
    BOOST_TEST((all_of(views::free_runs(it.pool, chunk)) == free));
    const std::vector<range> live{{first, granule}, {third, 3 * granule}};
    BOOST_TEST((all_of(views::live_blocks(it.pool, chunk)) == live));
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE(a_full_chunk_has_no_free_run_and_an_empty_one_no_block) {
    scene it;
    for (int i = 0; i != 10; ++i)
        BOOST_TEST(it.pool.allocate(1).has_value());
    const auto& full = it.pool.chunk_at(1);
    const auto& empty = it.pool.chunk_at(0);
    BOOST_TEST(all_of(views::free_runs(it.pool, full)).empty());
    BOOST_TEST(all_of(views::live_blocks(it.pool, full)).size() == 10u);
    BOOST_TEST(all_of(views::live_blocks(it.pool, empty)).empty());
    const std::vector<range> whole{{0x10000, 100 * granule}};
    BOOST_TEST((all_of(views::free_runs(it.pool, empty)) == whole));
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE(they_agree_with_a_random_program) {
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        scene it;
        std::map<address, std::uint64_t> live;
        for (int step = 0; step != 2000; ++step) {
            if (live.empty() || random.chance(55)) {
                const std::uint64_t bytes = random.between(1, 5 * granule);
                if (const auto got = it.pool.allocate(bytes))
                    live.emplace(*got, it.pool.usable_bytes(bytes));
            } else {
                const auto gone =
                    std::next(live.begin(), static_cast<std::ptrdiff_t>(random.below(live.size())));
                test::check(it.pool.deallocate(gone->first).has_value());
                live.erase(gone);
            }
            const auto seen = all_of(views::live_blocks(it.pool));
            test::check(seen.size() == live.size());
            for (const range& block : seen)
                test::check(live.contains(block.base) && live.at(block.base) == block.bytes);
            std::uint64_t free = 0;
            for (const range run : views::free_runs(it.pool))
                free += run.bytes;
            test::check(free == it.pool.free_bytes());
        }
        it.pool.reset();
    }
}

BOOST_AUTO_TEST_CASE(views_compose) {
    scene it;
    (void)it.pool.allocate(1);
    (void)it.pool.allocate(2 * granule);
    const auto long_ones = views::live_blocks(it.pool) |
                           ranges::views::filter([](range b) { return b.bytes > granule; }) |
                           ranges::to<std::vector>();
    BOOST_TEST(long_ones.size() == 1u);
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE(pages_are_those_that_a_block_touches) {
    const std::vector<range> two{{0x1000, 0x1000}, {0x2000, 0x1000}};
    BOOST_TEST((all_of(views::pages({0x1fff, 2}, 0x1000)) == two));
    BOOST_TEST((all_of(views::pages({0x1000, 0x2000}, 0x1000)) == two));
    BOOST_TEST((all_of(views::pages({0x1000, 0x1001}, 0x1000)) == two));
    BOOST_TEST(views::pages({0x1000, 0}, 0x1000).empty());
    const std::vector<range> last{{~address{0xfff}, 0x1000}}; // ends at 2^64
    BOOST_TEST((all_of(views::pages({~address{0}, 1}, 0x1000)) == last));
}

BOOST_AUTO_TEST_SUITE_END()
