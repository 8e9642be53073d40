// SPDX-License-Identifier: MIT
#include <palloc/backings/borrowed.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>

#include "support/backing_checks.hpp"

namespace {

using namespace palloc;

// Who mapped the range decides what a child finds of it.
static_assert(!backing_states_fork_treatment<borrowed> &&
              !backing_states_fork_treatment<borrowed_touchable>);

BOOST_AUTO_TEST_CASE(takes_over_a_range_and_what_is_known_of_it) {
    int owner = 0;
    borrowed backing;
    auto region =
        backing.adopt({.where = {0x1234, 100}, .physical = 0xabc0, .owner = &owner}).value();
    BOOST_TEST(backing.where(region) == (range{0x1234, 100}));
    BOOST_TEST(backing.owner(region) == &owner);
    BOOST_TEST(backing.physical(region, 0x1234).value() == 0xabc0);
    BOOST_TEST(backing.physical(region, 0x1234 + 99).value() == 0xabc0 + 99);
    test::check_fails(backing.physical(region, 0x1234 + 100), {errc::not_ours});
    test::check_fails(backing.physical(region, 0x1233), {errc::not_ours});
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(backing.where(region).bytes == 0);
}

BOOST_AUTO_TEST_CASE(a_range_without_physical_address_has_none) {
    const auto region = borrowed::adopt({.where = {0x1000, 100}}).value();
    test::check_fails(borrowed::physical(region, 0x1000), {errc::not_supported});
    BOOST_TEST(borrowed::owner(region) == nullptr);
    BOOST_TEST(
        borrowed::physical(borrowed::adopt({.where = {0x1000, 1}, .physical = 0}).value(), 0x1000)
            .value() == 0);
}

BOOST_AUTO_TEST_CASE(ranges_may_end_at_2_to_the_64_but_not_run_past_it) {
    const address top = ~address{0};
    BOOST_TEST(borrowed::adopt({.where = {top - 99, 100}}).has_value());
    test::check_fails(borrowed::adopt({.where = {top - 98, 100}}), {errc::bad_argument});
    BOOST_TEST(borrowed::adopt({.where = {0, 0}}).has_value());
}

} // namespace
