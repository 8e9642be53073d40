// SPDX-License-Identifier: MIT
#include <palloc/granularities/static_granule.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <type_traits>

#include "support/granularity_checks.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(agrees_with_division) {
    test::random_source random;
    test::check_against_division(static_granule<1>{}, random);
    test::check_against_division(static_granule<48>{}, random);
    test::check_against_division(static_granule<64>{}, random);
    test::check_against_division(static_granule<4096>{}, random);
    test::check_against_division(static_granule<(std::uint64_t{1} << 63) + 1>{}, random);
}

BOOST_AUTO_TEST_CASE(needs_no_storage_and_no_run_time) {
    static_assert(std::is_empty_v<static_granule<64>>);
    static_assert(static_granule<64>::count(65) == 2);
    static_assert(static_granule<64>::count(~std::uint64_t{0}) ==
                  saturated_size(std::uint64_t{1} << 58));
    BOOST_TEST(static_granule<64>::bytes() == 64);
}

} // namespace
