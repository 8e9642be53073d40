// SPDX-License-Identifier: MIT
#include <palloc/backings/fake.hpp>
#include <palloc/protections/permanent.hpp>

#include <boost/test/unit_test.hpp>

#include "protections/area.hpp"

namespace {

using namespace palloc;

static_assert(protection_closes_in_two_steps<permanent, fake>);

BOOST_AUTO_TEST_CASE(nothing_gets_rid_of_it) {
    test::simulated_area it(permanent{});
    BOOST_TEST((it.protect() == strength::permanent));
    BOOST_TEST(it.protection.close_area(it.backing, it.region, it.state).has_value());
    BOOST_TEST(!it.backing.unmap(it.region).has_value());
    BOOST_TEST(!it.backing.protect(it.region, it.where, permissions::none).has_value());
    BOOST_TEST((it.space.is_mapped(it.where.base) && !it.is_writable()));
}

BOOST_AUTO_TEST_CASE(a_seal_that_is_set_is_kept_when_the_last_step_fails) {
    for (const demand insistence : {demand::required, demand::best_effort}) {
        test::simulated_area it(permanent{insistence});
        it.fail(backing_call::make_permanent);
        const auto got = it.protect();
        BOOST_TEST(got.has_value() == (insistence == demand::best_effort));
        BOOST_TEST((it.achieved() == strength::sealed && !it.is_writable()));
        BOOST_TEST((it.protection.on_release(it.state) == release_action::keep_dead));
        BOOST_TEST((it.protect() == strength::permanent));
    }
}

} // namespace
