// SPDX-License-Identifier: MIT
#include <palloc/algorithms/next_fit.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>

#include "support/scene.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(goes_on_behind_the_last_block_and_wraps) {
    test::over_scenes([](test::scene& it, test::random_source& random) {
        next_fit algorithm;
        std::size_t next = 0;
        for (int step = 0; step < 10; ++step) {
            const auto all = it.positions();
            const auto answer = algorithm(it.bitmap, it.request);
            test::check_is_one_of(answer, all);
            if (answer) {
                const auto behind = std::ranges::lower_bound(all, next);
                BOOST_TEST(*answer == (behind == all.end() ? all.front() : *behind));
                next = *answer + it.request.count;
                if (random.chance(50)) // else as if it were given back at once
                    it.bitmap.claim({*answer, it.request.count});
            }
            it.request.count = random.between(1, 8);
        }
    });
}

BOOST_AUTO_TEST_CASE(begins_another_chunk_at_its_front) {
    test::scene first("........");
    const test::scene second("........");
    first.request.base = 0x1000;
    placement elsewhere = second.request;
    elsewhere.base = 0x2000;
    next_fit algorithm;
    BOOST_TEST(algorithm(first.bitmap, first.request).value() == 0);
    BOOST_TEST(algorithm(first.bitmap, first.request).value() == 1);
    BOOST_TEST(algorithm(second.bitmap, elsewhere).value() == 0);
    BOOST_TEST(algorithm(second.bitmap, elsewhere).value() == 1);
}

BOOST_AUTO_TEST_CASE(keeps_its_place_when_a_full_chunk_was_asked_in_between) {
    test::scene roomy("........");
    const test::scene full("####");
    roomy.request.base = 0x1000;
    placement elsewhere = full.request;
    elsewhere.base = 0x2000;
    next_fit algorithm;
    BOOST_TEST(algorithm(roomy.bitmap, roomy.request).value() == 0);
    BOOST_TEST(!algorithm(full.bitmap, elsewhere));
    BOOST_TEST(algorithm(roomy.bitmap, roomy.request).value() == 1);
}

BOOST_AUTO_TEST_CASE(is_not_for_several_threads) {
    static_assert(algorithm_for<next_fit, test::model_bitmap>);
    BOOST_TEST((!concurrent_algorithm_for<next_fit, test::model_bitmap>));
}

} // namespace
