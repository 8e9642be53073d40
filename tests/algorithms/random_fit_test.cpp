// SPDX-License-Identifier: MIT
#include <palloc/algorithms/random_fit.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>

#include "support/scene.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(takes_some_legal_position_whenever_there_is_one) {
    test::over_scenes([](const test::scene& it, test::random_source& random) {
        random_fit algorithm(random.bits());
        const auto all = it.positions();
        for (int i = 0; i < 5; ++i)
            test::check_is_one_of(algorithm(it.bitmap, it.request), all);
    });
}

BOOST_AUTO_TEST_CASE(equal_seeds_give_equal_places) {
    const test::scene it(200);
    random_fit one(7);
    random_fit other(7);
    random_fit third(8);
    std::size_t differences = 0;
    for (int i = 0; i < 100; ++i) {
        const auto place = one(it.bitmap, it.request);
        BOOST_TEST(place.value() == other(it.bitmap, it.request).value());
        if (place != third(it.bitmap, it.request))
            ++differences;
    }
    BOOST_TEST(differences > 80);
}

BOOST_AUTO_TEST_CASE(reaches_every_place_of_an_empty_chunk_about_equally_often) {
    test::scene it(8);
    it.request.count = 3; // six places
    random_fit algorithm(1);
    std::array<int, 8> hits{};
    for (int i = 0; i < 6'000; ++i)
        ++hits.at(algorithm(it.bitmap, it.request).value());
    for (std::size_t place = 0; place < 6; ++place)
        BOOST_TEST((hits[place] > 850 && hits[place] < 1150), place << ": " << hits[place]);
}

BOOST_AUTO_TEST_CASE(is_not_for_several_threads) {
    static_assert(algorithm_for<random_fit, test::model_bitmap>);
    BOOST_TEST((!concurrent_algorithm_for<random_fit, test::model_bitmap>));
}

} // namespace
