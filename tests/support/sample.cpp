// SPDX-License-Identifier: MIT
/// @file
/// @brief One case of every outcome; what the reporter makes of them is in sample.tap.
#include <boost/test/unit_test.hpp>

#include <tuple>

#include "skip.hpp"

namespace {

auto never = [](boost::unit_test::test_unit_id) {
    return boost::test_tools::assertion_result(false);
};

using of_two_sizes = std::tuple<int, char>;

BOOST_AUTO_TEST_SUITE(outcomes)

BOOST_AUTO_TEST_CASE(passes) {
    BOOST_TEST(true);
}

BOOST_AUTO_TEST_CASE(fails) {
    BOOST_TEST(false);
}

BOOST_AUTO_TEST_CASE(stops_at_a_requirement) {
    BOOST_REQUIRE(false);
}

BOOST_AUTO_TEST_CASE(throws) {
    throw 1;
}

BOOST_AUTO_TEST_CASE(asserts_nothing) {}

BOOST_AUTO_TEST_CASE(skips) {
    palloc::test::skip("not on this machine");
    BOOST_TEST(false);
}

BOOST_AUTO_TEST_CASE(fails_and_then_skips) {
    BOOST_TEST(false);
    palloc::test::skip("too late");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(of_types, Type, of_two_sizes) {
    BOOST_TEST(sizeof(Type) == 4U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(skipped_as_a_whole, *boost::unit_test::precondition(never))

BOOST_AUTO_TEST_CASE(one) {
    BOOST_TEST(false);
}

BOOST_AUTO_TEST_CASE(two) {
    BOOST_TEST(false);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
