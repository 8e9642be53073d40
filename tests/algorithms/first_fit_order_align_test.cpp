// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit_order_align.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <vector>

#include "support/scene.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(takes_the_lowest_multiple_of_the_rounded_length) {
    test::over_scenes([](const test::scene& it, test::random_source&) {
        std::size_t rounded = 1;
        while (rounded < it.request.count)
            rounded *= 2;
        auto allowed = it.positions();
        std::erase_if(allowed, [&](std::size_t position) { return position % rounded != 0; });
        const auto answer = first_fit_order_align{}(it.bitmap, it.request);
        test::check_is_one_of(answer, allowed);
        if (answer)
            BOOST_TEST(*answer == allowed.front());
    });
}

BOOST_AUTO_TEST_CASE(the_base_plays_no_part) {
    test::scene it("#.......");
    it.request.count = 3;
    it.request.base = 0x1040;
    it.request.granule_bytes = 64;
    BOOST_TEST(first_fit_order_align{}(it.bitmap, it.request).value() == 4);
}

BOOST_AUTO_TEST_CASE(refuses_what_no_chunk_could_hold) {
    test::scene it(64);
    it.request.count = ~std::size_t{0};
    BOOST_TEST(!first_fit_order_align{}(it.bitmap, it.request));
}

} // namespace
