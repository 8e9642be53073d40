// SPDX-License-Identifier: MIT
// Write-rare pools that several threads change and read.
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "pmalloc/made.hpp"

using namespace palloc;
using test::made;

BOOST_AUTO_TEST_SUITE(pmalloc_threads)

BOOST_AUTO_TEST_CASE(a_word_is_published_whole) {
    const auto pool = made({.mode = pmalloc_mode::wr});
    const auto* const word = pool->make<std::uint64_t>(0U).value();
    BOOST_TEST(pool->protect().has_value());
    std::atomic<bool> stop = false;
    std::uint64_t torn = 0;
    std::thread reading([&] {
        while (!stop) {
            const std::uint64_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
            torn += seen >> 32 != (seen & 0xffffffff) ? 1U : 0U;
        }
    });
    for (std::uint64_t i = 1; i != 5'000; ++i)
        BOOST_TEST_REQUIRE(pool->publish(word, i << 32 | i).has_value());
    stop = true;
    reading.join();
    BOOST_TEST(torn == 0u);
}

BOOST_AUTO_TEST_CASE(threads_add_without_losing) {
    const auto pool = made({.mode = pmalloc_mode::wr});
    const auto* const sum = pool->make<std::uint64_t>(0U).value();
    BOOST_TEST(pool->protect().has_value());
    std::vector<std::thread> adding;
    for (int t = 0; t != 4; ++t)
        adding.emplace_back([&] {
            for (int i = 0; i != 2'000; ++i)
                (void)pool->add(sum, 3);
        });
    for (auto& each : adding)
        each.join();
    BOOST_TEST(*sum == 24'000u);
}

BOOST_AUTO_TEST_SUITE_END()
