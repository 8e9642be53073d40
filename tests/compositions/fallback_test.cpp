// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/compositions/fallback.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include "support/allocator_life.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

using numbers = pool<static_granule<64>, fake_demand_paged, boundary<flat>, first_fit, unprotected>;
using heap = pool<static_granule<64>, native_memory, boundary<flat>, first_fit, unprotected>;
using shared = pool<static_granule<64>, native_memory, atomic, first_fit, unprotected>;
static_assert(touchable_allocator<fallback<heap, heap>>);
static_assert(!touchable_allocator<fallback<heap, numbers>>);
static_assert(concurrent_allocator<fallback<shared, locked<heap>>>);
static_assert(!concurrent_allocator<fallback<shared, heap>>);

/// A first of four granules before a second of eight.
struct scene {
    fake_space space;
    test::misuse_log first_s;
    test::misuse_log second_s;
    fallback<numbers, numbers> pool{
        [&] { return numbers({.on_misuse = first_s.policy()}, {}, fake_demand_paged(space)); },
        [&] { return numbers({.on_misuse = second_s.policy()}, {}, fake_demand_paged(space)); }};

    scene() {
        BOOST_TEST_REQUIRE(pool.first().add({.where = {0x10000, 256}}).has_value());
        BOOST_TEST_REQUIRE(pool.second().add({.where = {0x20000, 512}}).has_value());
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(falling_back)

BOOST_AUTO_TEST_CASE(the_second_serves_what_the_first_cannot) {
    scene it;
    BOOST_TEST(it.pool.allocate(192).value() == 0x10000u);
    BOOST_TEST(it.pool.allocate(128).value() == 0x20000u);
    BOOST_TEST(it.pool.allocate(64).value() == 0x100c0u);
    BOOST_TEST(it.pool.allocate(64).value() == 0x20080u);
    BOOST_TEST((it.pool.allocate(512).error().code == errc::out_of_memory));
    BOOST_TEST((it.pool.allocate(0).error().code == errc::zero_size));
    it.pool.reset();
    BOOST_TEST(it.pool.first().used_bytes() + it.pool.second().used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(blocks_go_back_to_their_owner) {
    scene it;
    const address first = it.pool.allocate(256).value();
    const address second = it.pool.allocate(256).value();
    BOOST_TEST((it.pool.owns(first) && it.pool.owns(second) && !it.pool.owns(0x30000)));
    BOOST_TEST(it.pool.deallocate(second, 256).has_value());
    BOOST_TEST(it.pool.second().used_bytes() == 0u);
    BOOST_TEST(it.pool.deallocate(first, 256).has_value());
    BOOST_TEST(it.pool.first().used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(misuse_is_the_owner_s_or_the_second_s) {
    scene it;
    const address block = it.pool.allocate(256).value();
    BOOST_TEST((it.pool.deallocate(block, 64).error().code == errc::wrong_size));
    BOOST_TEST(it.first_s.seen.size() == 1u);
    BOOST_TEST((it.pool.deallocate(0x30000, 64).error().code == errc::not_ours));
    BOOST_TEST(it.second_s.seen.size() == 1u);
    BOOST_TEST(it.pool.deallocate(block, 256).has_value());
}

BOOST_AUTO_TEST_CASE(lives_through_a_random_program) {
    fallback pool([] { return heap({.growth = growth_policy::refill(4096), .cap_bytes = 65536}); },
                  [] { return heap({.growth = growth_policy::refill(1 << 20)}); });
    test::live_through(pool, 20'000);
    BOOST_TEST(pool.first().used_bytes() + pool.second().used_bytes() == 0u);
    BOOST_TEST(pool.second().chunk_count() > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
