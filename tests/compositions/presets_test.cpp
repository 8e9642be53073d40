// SPDX-License-Identifier: MIT
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/compositions/presets.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <map>
#include <memory_resource>
#include <string>
#include <vector>

#include "support/allocator_life.hpp"
#include "support/misuse_log.hpp"
#include "support/thread_storm.hpp"

using namespace palloc;

static_assert(touchable_allocator<general_purpose> && !concurrent_allocator<general_purpose>);
static_assert(touchable_allocator<general_purpose_shared> &&
              concurrent_allocator<general_purpose_shared>);
static_assert(touchable_allocator<fixed_size<48>> && fixed_size<48>::block_alignment == 16);

BOOST_AUTO_TEST_SUITE(presets)

BOOST_AUTO_TEST_CASE(general_purpose_lives_through_a_random_program) {
    test::misuse_log mistakes;
    {
        general_purpose pool({.on_misuse = mistakes.policy()});
        test::live_through(pool, 50'000, {.longest = 100'000, .largest_alignment = 1 << 14});
        pool.flush();
        BOOST_TEST(pool.pool().used_bytes() == 0u);
        pool.pool().release_empty_slabs();
        BOOST_TEST(pool.pool().parent().used_bytes() == 0u);
    }
    BOOST_TEST(mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(general_purpose_shared_lives_with_threads) {
    test::misuse_log mistakes;
    {
        general_purpose_shared pool({.on_misuse = mistakes.policy()});
        test::storm(pool, 4, 10'000, {.longest = 20'000, .largest_alignment = 4096});
        pool.flush();
        BOOST_TEST(pool.pool().with([](auto& classes) { return classes.used_bytes(); }) == 0u);
    }
    BOOST_TEST(mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(fixed_size_serves_its_size) {
    test::misuse_log mistakes;
    {
        fixed_size<48> pool({.on_misuse = mistakes.policy()});
        test::live_through(pool, 20'000, {.longest = 48, .largest_alignment = 16}, 3000);
        pool.flush();
        BOOST_TEST(pool.pool().used_bytes() == 0u);
    }
    BOOST_TEST(mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(options_reach_the_memory) {
    general_purpose pool(
        {.growth = growth_policy::refill(1 << 20), .cap_bytes = std::uint64_t{1} << 20});
    const address block = pool.allocate(1 << 19).value();
    BOOST_TEST((pool.allocate(1 << 20).error().code == errc::over_limit));
    BOOST_TEST(pool.deallocate(block, 1 << 19).has_value());
}

BOOST_AUTO_TEST_CASE(containers_live_in_them) {
    general_purpose pool;
    pool_resource resource(pool);
    {
        std::pmr::map<int, std::pmr::string> words(&resource);
        for (int i = 0; i != 2000; ++i)
            words.emplace(i, std::to_string(i) + " and long enough for the heap");
        std::pmr::vector<std::pmr::string> copies(&resource);
        for (const auto& [number, word] : words)
            copies.push_back(word);
        BOOST_TEST(copies.at(1234) == "1234 and long enough for the heap");
    }
    pool.flush();
    BOOST_TEST(pool.pool().used_bytes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
