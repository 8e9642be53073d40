// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>

#include <boost/test/unit_test.hpp>

#include "support/scene.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(takes_the_lowest_legal_position) {
    test::over_scenes([](const test::scene& it, test::random_source&) {
        const auto all = it.positions();
        const auto answer = first_fit{}(it.bitmap, it.request);
        test::check_is_one_of(answer, all);
        if (answer)
            BOOST_TEST(*answer == all.front());
    });
}

BOOST_AUTO_TEST_CASE(says_that_a_bitmap_may_find_and_claim_at_once) {
    static_assert(algorithm_takes_lowest<first_fit>);
    static_assert(concurrent_algorithm_for<first_fit, test::model_bitmap>);
    BOOST_TEST(std::is_empty_v<first_fit>);
}

} // namespace
