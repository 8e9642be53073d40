// SPDX-License-Identifier: MIT
#include <palloc/algorithms/fixed.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "support/scene.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(takes_its_own_place_or_none) {
    test::over_scenes([](const test::scene& it, test::random_source&) {
        const auto all = it.positions();
        for (std::size_t position = 0; position <= it.bitmap.size(); ++position) {
            const auto answer = fixed(position * it.request.granule_bytes)(it.bitmap, it.request);
            const bool possible = std::ranges::count(all, position) == 1;
            BOOST_TEST(answer.has_value() == possible);
            if (answer)
                BOOST_TEST(*answer == position);
        }
    });
}

BOOST_AUTO_TEST_CASE(refuses_what_is_not_a_multiple_of_the_granule) {
    test::scene it(8);
    it.request.granule_bytes = 48;
    BOOST_TEST(fixed(96)(it.bitmap, it.request).value() == 2);
    BOOST_TEST(!fixed(97)(it.bitmap, it.request));
    BOOST_TEST(!fixed(~std::uint64_t{0})(it.bitmap, it.request));
}

} // namespace
