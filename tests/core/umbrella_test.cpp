// SPDX-License-Identifier: MIT
// The umbrella is one include, and carries the version and the vocabulary.
#include <palloc/concepts/algorithm.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/palloc.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <type_traits>

BOOST_AUTO_TEST_SUITE(umbrella)

BOOST_AUTO_TEST_CASE(the_version_is_one) {
    BOOST_TEST(std::string(PALLOC_VERSION) == std::to_string(PALLOC_VERSION_MAJOR) + "." +
                                                  std::to_string(PALLOC_VERSION_MINOR) + "." +
                                                  std::to_string(PALLOC_VERSION_PATCH));
    BOOST_TEST((std::is_same_v<palloc::error, palloc::v0::error>)); // the ABI is in the name
}

BOOST_AUTO_TEST_CASE(no_wish_is_the_default) {
    BOOST_TEST((palloc::pool_options{}.node == palloc::any_node));
    BOOST_TEST((palloc::pool_options{}.within == palloc::anywhere));
    BOOST_TEST((palloc::concurrent_algorithm_for<palloc::first_fit, palloc::atomic>));
    BOOST_TEST(!(palloc::concurrent_algorithm_for<palloc::next_fit, palloc::atomic>));
}

BOOST_AUTO_TEST_SUITE_END()
