// SPDX-License-Identifier: MIT
// What is the pool's own: chunks in order, growth, limits, alignment of addresses, resizing,
// queries.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace palloc;

namespace {

constexpr std::uint64_t page = 4096;
using small_pool =
    pool<static_granule<64>, fake_demand_paged, boundary<flat>, first_fit, unprotected>;

fake_demand_paged::adoption at(address base, std::uint64_t bytes) {
    return {.where = {base, bytes}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(pool_itself)

BOOST_AUTO_TEST_CASE(the_newest_chunk_with_room_serves_first) {
    fake_space space;
    small_pool pool({}, {}, fake_demand_paged(space));
    BOOST_TEST(pool.add(at(0x10000, page)).has_value());
    BOOST_TEST(pool.add(at(0x30000, page)).has_value());
    BOOST_TEST(pool.add(at(0x20000, page)).has_value());
    BOOST_TEST(pool.allocate(page).value() == 0x20000u);
    BOOST_TEST(pool.allocate(page / 2).value() == 0x30000u);
    BOOST_TEST(pool.allocate(page).value() == 0x10000u); // does not fit what the second has left
    BOOST_TEST(pool.allocate(page / 2).value() == 0x30000u + page / 2);
    BOOST_TEST((pool.allocate(1).error().code == errc::out_of_memory));
    BOOST_TEST(pool.deallocate(0x10000).has_value());
    BOOST_TEST(pool.deallocate(0x20000).has_value());
    BOOST_TEST(pool.allocate(1).value() == 0x20000u); // again the newest
    pool.reset();
}

BOOST_AUTO_TEST_CASE(hundreds_of_chunks_are_found_by_address) {
    fake_space space;
    small_pool pool({}, {}, fake_demand_paged(space));
    std::vector<address> bases;
    for (std::uint64_t i = 0; i != 700; ++i) // by turns from below and from above
        bases.push_back(i % 2 == 0 ? 0x1000000 + i * 2 * page : 0x9000000 - i * 2 * page);
    for (const address base : bases)
        BOOST_TEST_REQUIRE(pool.add(at(base, page)).has_value());
    for (const address base : bases) {
        BOOST_TEST(pool.owns(base));
        BOOST_TEST(pool.owns(base + page - 1));
        BOOST_TEST(!pool.owns(base - 1));
        BOOST_TEST(!pool.owns(base + page));
    }
    std::vector<address> blocks;
    while (const auto block = pool.allocate(page))
        blocks.push_back(*block);
    BOOST_TEST(std::vector<address>(blocks.rbegin(), blocks.rend()) == bases);
    for (const address block : blocks)
        BOOST_TEST(pool.deallocate(block).has_value());
    BOOST_TEST(pool.used_bytes() == 0u);
    BOOST_TEST(pool.release_empty_chunks(10) == 690 * page);
    BOOST_TEST(pool.chunk_count() == 10u);
    for (std::size_t i = 0; i != bases.size(); ++i)
        BOOST_TEST(pool.owns(bases[i]) == (i >= 690));
}

BOOST_AUTO_TEST_CASE(overlapping_and_empty_chunks_are_refused) {
    fake_space space;
    small_pool pool({}, {}, fake_demand_paged(space));
    BOOST_TEST(pool.add(at(0x10000, page)).has_value());
    BOOST_TEST((pool.add(at(0x10000 + page - 1, page)).error().code == errc::overlap));
    BOOST_TEST((pool.add(at(0x20000, 0)).error().code == errc::zero_size));
    BOOST_TEST(pool.chunk_count() == 1u);
    BOOST_TEST(pool.mapped_bytes() == page);
}

BOOST_AUTO_TEST_CASE(grows_as_told) {
    fake_space space;
    const auto sizes_of_chunks = [&](const growth_policy& growth) {
        small_pool pool({.growth = growth, .cap_bytes = 20 * page}, {}, fake_demand_paged(space));
        while (pool.allocate(page)) {
        }
        std::vector<std::uint64_t> sizes;
        pool.for_each_chunk(
            [&](const small_pool::chunk& c) { sizes.insert(sizes.begin(), c.where.bytes / page); });
        BOOST_TEST(
            (growth.step_bytes == 0 || pool.allocate(page).error().code == errc::over_limit));
        pool.reset();
        return sizes;
    };
    using sizes = std::vector<std::uint64_t>;
    BOOST_TEST(sizes_of_chunks(growth_policy::fixed()) == sizes{});
    BOOST_TEST(sizes_of_chunks(growth_policy::refill(8 * page)) == (sizes{8, 8, 4}));
    BOOST_TEST(sizes_of_chunks(growth_policy::geometric(page, 8 * page)) == (sizes{1, 2, 4, 8, 5}));
}

BOOST_AUTO_TEST_CASE(a_request_larger_than_the_step_gets_its_own_chunk) {
    fake_space space;
    small_pool pool({.growth = growth_policy::refill(page)}, {}, fake_demand_paged(space));
    const address block = pool.allocate(10 * page, 8 * page).value();
    BOOST_TEST(block % (8 * page) == 0u);
    BOOST_TEST(pool.mapped_bytes() == 10 * page);
    // With 32 bits no chunk has as many granules.
    constexpr errc expected = sizeof(std::size_t) == 8 ? errc::out_of_memory : errc::too_large;
    BOOST_TEST((pool.allocate(std::uint64_t{1} << 60).error().code == expected));
    pool.reset();
}

BOOST_AUTO_TEST_CASE(a_large_step_that_cannot_be_mapped_is_not_needed) {
    fake_space space;
    small_pool pool({.growth = growth_policy::refill(std::uint64_t{1} << 50)}, {},
                    fake_demand_paged(space));
    BOOST_TEST(pool.allocate(100).has_value());
    BOOST_TEST(pool.mapped_bytes() == page);
    pool.reset();
}

BOOST_AUTO_TEST_CASE(failures_while_growing_change_nothing) {
    fake_space space;
    small_pool pool({.growth = growth_policy::refill(page)}, {}, fake_demand_paged(space));
    space.script.fail_nth(backing_call::map, 1);
    BOOST_TEST(!pool.allocate(2 * page).has_value());
    BOOST_TEST(pool.chunk_count() == 0u);
    BOOST_TEST(pool.allocate(2 * page).has_value());
    pool.reset();
}

/// For every granule size, base and alignment: the address is aligned, and a request fails only
/// where no aligned address is free.
BOOST_DATA_TEST_CASE(the_address_is_aligned_whatever_the_base,
                     boost::unit_test::data::make({1, 16, 24, 48, 64, 80, 96, 1000, 4096}) *
                         boost::unit_test::data::make({0x10000, 0x10001, 0x10008, 0x10030,
                                                       0x10fc0}),
                     granule, base) {
    using sized = pool<sized_granule, fake_demand_paged, flat, first_fit, unprotected>;
    for (std::uint64_t alignment = 1; alignment <= 8192; alignment *= 2) {
        fake_space space;
        const auto g = static_cast<std::uint64_t>(granule);
        const auto b = static_cast<std::uint64_t>(base);
        sized pool({}, sized_granule(static_cast<std::size_t>(g)), fake_demand_paged(space));
        BOOST_TEST_REQUIRE(pool.add(at(b, 40 * g)).has_value());
        std::vector<address> expected;
        for (std::uint64_t i = 0; i != 40; ++i)
            if ((b + i * g) % alignment == 0)
                expected.push_back(b + i * g);
        std::vector<address> got;
        while (const auto block = pool.allocate(g, alignment))
            got.push_back(*block);
        BOOST_TEST(got == expected, "granule " << g << " base " << b << " alignment " << alignment);
        pool.reset();
    }
}

BOOST_AUTO_TEST_CASE(a_range_is_honoured_to_the_byte) {
    fake_space space;
    small_pool pool({}, {}, fake_demand_paged(space));
    BOOST_TEST(pool.add(at(0x10000, page)).has_value());
    const auto within = [&](address base, std::uint64_t bytes) {
        return pool.allocate({.bytes = 100, .within = {base, bytes}});
    };
    BOOST_TEST(!within(0x10041, 190).has_value());
    BOOST_TEST(within(0x10041, 191).value_or(0) == 0x10080u);
    BOOST_TEST(within(0, 0x10080).value_or(0) == 0x10000u);
    BOOST_TEST(!within(0, 0x1007f).has_value());
    BOOST_TEST(!within(0x20000, page).has_value());
    BOOST_TEST(!within(0x10f81, ~std::uint64_t{0} - 0x10f81).has_value());
    BOOST_TEST(within(0x10f80, ~std::uint64_t{0} - 0x10f80).value_or(0) == 0x10f80u);
    pool.reset();
}

BOOST_AUTO_TEST_CASE(blocks_grow_and_shrink_in_place) {
    fake_space space;
    small_pool pool({}, {}, fake_demand_paged(space));
    BOOST_TEST(pool.grow(page).has_value());
    const address block = pool.allocate(100).value();
    BOOST_TEST(pool.usable_bytes(100) == 128u);
    BOOST_TEST(pool.usable_bytes_at(block).value() == 128u);
    BOOST_TEST(pool.resize(block, 100, 128).has_value());
    BOOST_TEST(pool.resize(block, 128, 1000).has_value());
    BOOST_TEST(pool.usable_bytes_at(block).value() == 1024u);
    const address next = pool.allocate(1).value();
    BOOST_TEST(next == block + 1024);
    BOOST_TEST((pool.resize(block, 1000, 1025).error().code == errc::no_room));
    BOOST_TEST((pool.resize(block, 1000, 2 * page).error().code == errc::no_room));
    BOOST_TEST((pool.resize(block, 1000, ~std::uint64_t{0}).error().code == errc::no_room));
    BOOST_TEST((pool.resize(block, 1000, 0).error().code == errc::zero_size));
    BOOST_TEST(pool.resize(block, 1000, 64).has_value());
    BOOST_TEST(pool.allocate(1).value() == block + 64);
    BOOST_TEST(pool.used_bytes() == 3 * 64u);
    pool.reset();
}

BOOST_AUTO_TEST_CASE(another_algorithm_for_one_request) {
    fake_space space;
    small_pool pool({}, {}, fake_demand_paged(space));
    const address base = pool.grow(page).value().base;
    const best_fit best;
    const auto last_fit = [](const auto& map, const placement& q) {
        std::optional<std::size_t> last;
        for (auto run = map.next_free_run(0); run.count != 0; run = map.next_free_run(run.last()))
            if (run.count >= q.count)
                last = run.last() - q.count;
        return last;
    };
    BOOST_TEST(pool.allocate_with({.bytes = 100}, last_fit).value() == base + page - 128);
    BOOST_TEST(pool.allocate_with({.bytes = 100}, best).value() == base);
    pool.reset();
}

BOOST_AUTO_TEST_SUITE_END()
