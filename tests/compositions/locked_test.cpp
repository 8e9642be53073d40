// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <span>

#include "support/bump_parent.hpp"
#include "support/misuse_log.hpp"
#include "support/thread_storm.hpp"

using namespace palloc;

namespace {

/// Counts how often it is held, and whether it is now.
struct watched_mutex {
    static inline int locks = 0;
    static inline bool held = false;
    void lock() {
        held = true;
        ++locks;
    }
    void unlock() { held = false; }
};

/// Notes calls that come without the lock.
struct watchful : test::bump_parent {
    int unlocked = 0;

    result<address> allocate(std::uint64_t bytes, std::uint64_t alignment) noexcept {
        unlocked += !watched_mutex::held;
        return bump_parent::allocate(bytes, alignment);
    }
    result<void> deallocate(address base, std::uint64_t bytes, std::uint64_t alignment) noexcept {
        unlocked += !watched_mutex::held;
        return bump_parent::deallocate(base, bytes, alignment);
    }
    bool owns(address place) noexcept {
        unlocked += !watched_mutex::held;
        return bump_parent::owns(place);
    }
};

using heap = pool<static_granule<64>, native_memory, boundary<indexed>, first_fit, unprotected>;
static_assert(concurrent_allocator<locked<heap>> && touchable_allocator<locked<heap>>);
static_assert(!concurrent_allocator<heap> && !touchable_allocator<locked<test::bump_parent>>);

} // namespace

BOOST_AUTO_TEST_SUITE(locked_pools)

BOOST_AUTO_TEST_CASE(every_call_is_under_the_lock_once) {
    locked<watchful, watched_mutex> pool;
    watched_mutex::locks = 0;
    std::array<address, 3> blocks{};
    const address block = pool.allocate(8, 8).value();
    BOOST_TEST(watched_mutex::locks == 1);
    BOOST_TEST(pool.allocate_many(16, 16, blocks) == 3u);
    BOOST_TEST(watched_mutex::locks == 2);
    BOOST_TEST(pool.owns(block));
    pool.deallocate_many(blocks, 16, 16);
    BOOST_TEST(pool.deallocate(block, 8, 8).has_value());
    BOOST_TEST(watched_mutex::locks == 5);
    BOOST_TEST(pool.with([](watchful& inner) { return inner.blocks.size(); }) == 0u);
    BOOST_TEST(watched_mutex::locks == 6);
    BOOST_TEST(pool.with([](watchful& inner) { return inner.unlocked; }) == 0);
    BOOST_TEST(!watched_mutex::held);
}

BOOST_AUTO_TEST_CASE(answers_what_the_pool_answers) {
    test::misuse_log mistakes;
    locked<heap> pool(pool_options{
        .growth = growth_policy::refill(4096), .cap_bytes = 4096, .on_misuse = mistakes.policy()});
    const address block = pool.allocate(4096).value();
    BOOST_TEST((pool.allocate(1).error().code == errc::over_limit));
    BOOST_TEST((pool.deallocate(block, 64).error().code == errc::wrong_size));
    BOOST_TEST(pool.deallocate(block, 4096).has_value());
    BOOST_TEST(!pool.owns(0x10));
}

BOOST_AUTO_TEST_CASE(many_threads_share_it) {
    test::misuse_log mistakes;
    locked<heap> pool(
        pool_options{.growth = growth_policy::refill(1 << 20), .on_misuse = mistakes.policy()});
    test::storm(pool, 4, 5'000);
    BOOST_TEST(pool.with(&heap::used_bytes) == 0u);
    BOOST_TEST(mistakes.seen.empty());
}

BOOST_AUTO_TEST_SUITE_END()
