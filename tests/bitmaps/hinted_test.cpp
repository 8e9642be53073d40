// SPDX-License-Identifier: MIT
// What is special to `hinted`: hints that are never too high. The rest is conformance.
#include <palloc/bitmaps/hinted.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <vector>

#include "owned_bitmap.hpp"
#include "support/random.hpp"

using namespace palloc;

BOOST_AUTO_TEST_SUITE(hinted_itself)

BOOST_AUTO_TEST_CASE(a_bit_a_granule_and_272_bytes) {
    BOOST_TEST(hinted::storage_bytes(0) == 272u);
    BOOST_TEST(hinted::storage_bytes(64) == 280u);
    BOOST_TEST(hinted::storage_bytes(65) == 288u);
}

BOOST_AUTO_TEST_CASE(no_hint_hides_a_run_whatever_came_before) {
    for (std::size_t round = 0; round != 20; ++round) {
        test::random_source random(round);
        BOOST_TEST_CONTEXT("round " << round) {
            test::owned_bitmap<hinted> it(700 + random.below(300));
            std::vector<granule_run> claimed;
            for (int step = 0; step != 1500; ++step) {
                const std::size_t kind = random.below(10);
                const std::size_t count = random.between(1, random.below(4) == 0 ? 130 : 20);
                if (kind < 5) {
                    const auto at = it.map.claim_lowest({.count = count, .limit = it.map.size()});
                    if (at)
                        claimed.push_back({*at, count});
                } else if (kind == 5) { // elsewhere than at the lowest place
                    const granule_run run{random.below(it.map.size() - 20), random.between(1, 20)};
                    if (it.map.claim(run))
                        claimed.push_back(run);
                } else if (!claimed.empty()) {
                    std::swap(claimed[random.below(claimed.size())], claimed.back());
                    BOOST_TEST_REQUIRE(it.map.release(claimed.back()) == 0u);
                    claimed.pop_back();
                }
                if (step % 16 == 0)
                    BOOST_TEST_REQUIRE(test::finds_every_run(it.map));
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_hole_that_grows_to_the_left_is_seen) {
    test::owned_bitmap<hinted> it(512);
    const placement two{.count = 2, .limit = 512};
    BOOST_TEST(it.map.claim({0, 512}));
    BOOST_TEST(it.map.release({99, 1}) == 0u);
    BOOST_TEST(!it.map.claim_lowest(two).has_value()); // now the hint for two is at the end
    BOOST_TEST(it.map.release({100, 1}) == 0u);
    BOOST_TEST(it.map.claim_lowest(two).value() == 99u);
}

BOOST_AUTO_TEST_SUITE_END()
