// SPDX-License-Identifier: MIT
#include <palloc/granularities/sized_granule.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>

#include "support/granularity_checks.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(agrees_with_division_for_small_sizes) {
    test::random_source random;
    for (std::size_t bytes = 1; bytes <= 1200; ++bytes)
        test::check_against_division(sized_granule(bytes), random);
}

BOOST_AUTO_TEST_CASE(agrees_with_division_for_sizes_of_every_length) {
    test::random_source random;
    for (int length = 0; length < 64; ++length) {
        const std::uint64_t power = std::uint64_t{1} << length;
        for (const std::uint64_t bytes : {power, power - 1, power + 1, random.bits() >> length})
            if (bytes != 0)
                test::check_against_division(sized_granule(bytes), random);
    }
}

BOOST_AUTO_TEST_CASE(can_be_computed_at_compile_time) {
    static_assert(sized_granule(48).count(97) == 3);
    static_assert(sized_granule(48).index(95) == 1);
    static_assert(sized_granule(48) == sized_granule(48));
    BOOST_TEST(sized_granule(112).offset(3) == 336);
}

} // namespace
