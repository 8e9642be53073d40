// SPDX-License-Identifier: MIT
// What other threads may ask and write while one makes a pool grow.
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

#include "pmalloc/made.hpp"

using namespace palloc;
using test::made;
using test::number;

BOOST_AUTO_TEST_CASE(what_is_protected_can_be_found_and_written_while_the_pool_grows) {
    const auto pool = made({.mode = pmalloc_mode::wr});
    const auto* const sum = pool->make<std::uint64_t>(0U).value();
    BOOST_TEST(pool->protect().has_value());
    std::atomic<bool> stop = false;
    std::uint64_t added = 0;
    std::uint64_t lost = 0;
    std::thread other([&] {
        while (!stop) {
            lost += pool->add(sum, 1) ? 0U : 1U;
            lost += pool->owns({number(sum), 8}) == ownership::yes ? 0U : 1U;
            lost += pool->statistics().allocated_bytes >= 8 ? 0U : 1U;
            ++added;
        }
    });
    for (int i = 0; i != 200; ++i)
        BOOST_TEST_REQUIRE(pool->alloc(5'000).has_value()); // an area each
    stop = true;
    other.join();
    BOOST_TEST(added != 0u);
    BOOST_TEST(lost == 0u);
    BOOST_TEST(*sum == added);
}
