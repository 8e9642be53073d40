// SPDX-License-Identifier: MIT
#include <palloc/granularities/order_granule.hpp>

#include <boost/test/unit_test.hpp>

#include "support/granularity_checks.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(agrees_with_division_for_every_order) {
    test::random_source random;
    for (unsigned order = 0; order < 64; ++order) {
        const order_granule granule(order);
        BOOST_TEST(granule.order() == order);
        test::check_against_division(granule, random);
    }
}

BOOST_AUTO_TEST_CASE(can_be_computed_at_compile_time) {
    static_assert(order_granule(6).count(65) == 2);
    static_assert(order_granule(6) == order_granule(6) && order_granule(6) != order_granule(7));
    BOOST_TEST(sizeof(order_granule) == 1);
}

} // namespace
