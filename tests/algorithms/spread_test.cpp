// SPDX-License-Identifier: MIT
#include <palloc/algorithms/spread.hpp>
#include <palloc/core/thread_number.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <thread>

#include "support/scene.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(takes_some_legal_position_whenever_there_is_one) {
    test::over_scenes([](const test::scene& it, test::random_source&) {
        test::check_is_one_of(spread{}(it.bitmap, it.request), it.positions());
    });
}

/// Where thread n begins: the bits of n, read backwards as a fraction.
std::size_t start_of(std::uint32_t thread, std::size_t granules) {
    double fraction = 0;
    for (double weight = 0.5; thread != 0; thread /= 2, weight /= 2)
        fraction += weight * (thread % 2);
    return static_cast<std::size_t>(fraction * static_cast<double>(granules));
}

BOOST_AUTO_TEST_CASE(each_thread_begins_in_a_place_of_its_own) {
    const test::scene it(1024);
    std::set<std::uint32_t> numbers;
    std::set<std::size_t> places;
    for (int i = 0; i < 16; ++i) {
        std::uint32_t number = 0;
        std::optional<std::size_t> place;
        std::thread([&] {
            number = thread_number();
            place = spread{}(it.bitmap, it.request);
        }).join();
        BOOST_TEST(place.value() == start_of(number, 1024));
        numbers.insert(number);
        places.insert(*place);
    }
    BOOST_TEST(numbers.size() == 16);
    BOOST_TEST(places.size() == 16);
}

BOOST_AUTO_TEST_CASE(a_thread_keeps_its_number) {
    const std::uint32_t mine = thread_number();
    std::thread([] { (void)thread_number(); }).join();
    BOOST_TEST(thread_number() == mine);
}

BOOST_AUTO_TEST_CASE(may_be_asked_by_several_threads) {
    BOOST_TEST((concurrent_algorithm_for<spread, test::model_bitmap>));
}

} // namespace
