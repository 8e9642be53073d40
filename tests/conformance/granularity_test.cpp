// SPDX-License-Identifier: MIT
// What concepts/granularity.hpp asks of every granularity.
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "models/granularities.hpp"
#include "support/granularity_checks.hpp"
#include "support/random.hpp"

using namespace palloc;

BOOST_AUTO_TEST_SUITE(every_granularity)

BOOST_AUTO_TEST_CASE_TEMPLATE(agrees_with_division, Granule, test::granularity_models) {
    test::random_source random;
    const auto granule = test::make_granularity<Granule>();
    BOOST_TEST(granule.bytes() >= 1u);
    test::check_against_division(granule, random);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(offsets_lead_back_to_their_granule, Granule,
                              test::granularity_models) {
    const auto granule = test::make_granularity<Granule>();
    const std::uint64_t last = granule.index(~std::uint64_t{0});
    for (const std::uint64_t i :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1'000'003}, last - 1, last}) {
        const std::uint64_t begin = granule.offset(i);
        BOOST_TEST(granule.index(begin) == i);
        BOOST_TEST(granule.count(begin) == i);
        if (i != last)
            BOOST_TEST(granule.index(begin + granule.bytes() - 1) == i);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_answers_the_same, Granule, test::granularity_models) {
    const auto granule = test::make_granularity<Granule>();
    auto copy = granule;
    BOOST_TEST(copy.bytes() == granule.bytes());
    copy = test::make_granularity<Granule>();
    BOOST_TEST(copy.count(1'000'000'007) == granule.count(1'000'000'007));
}

BOOST_AUTO_TEST_SUITE_END()
