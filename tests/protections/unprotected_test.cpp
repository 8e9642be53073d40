// SPDX-License-Identifier: MIT
#include <palloc/backings/borrowed.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <type_traits>

namespace {

using namespace palloc;

static_assert(std::is_empty_v<unprotected> && std::is_empty_v<unprotected::attributes>);
static_assert(protection_for<unprotected, borrowed>);
static_assert(!protection_can_close<unprotected, borrowed>);
static_assert(!protection_opens_windows<unprotected, borrowed>);

BOOST_AUTO_TEST_CASE(admits_everything_and_claims_nothing) {
    borrowed backing;
    auto region = backing.adopt({.where = {0x1000, 0x1000}}).value();
    unprotected protection;
    unprotected::area_state state;
    BOOST_TEST(protection.open_area(backing, region, state, {}).has_value());
    BOOST_TEST(protection.admits(state, {}));
    BOOST_TEST((protection.on_release(state) == release_action::reuse));
    BOOST_TEST((protection.achieved(state) == strength::none));
    BOOST_TEST(protection.close_area(backing, region, state).has_value());
    BOOST_TEST(backing.where(region).bytes == 0x1000);
}

} // namespace
