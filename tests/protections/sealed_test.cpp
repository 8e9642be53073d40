// SPDX-License-Identifier: MIT
#include <palloc/compositions/native_memory.hpp>
#include <palloc/protections/sealed.hpp>

#include <boost/test/unit_test.hpp>

#include <vector>

#include "protections/area.hpp"

namespace {

using namespace palloc;

static_assert(protection_closes_in_two_steps<sealed, native_views>);
static_assert(!protection_for<sealed, native_memory>);

BOOST_AUTO_TEST_CASE(the_seal_comes_last) {
    test::simulated_area it(sealed{});
    it.space.start_log();
    BOOST_TEST((it.protect() == strength::sealed));
    BOOST_TEST((it.space.log() ==
                std::vector<fake_space::call>{{backing_call::replace_view, it.where, true},
                                              {backing_call::seal, it.where, true}}));
    BOOST_TEST(!it.backing.replace_view(it.region, permissions::read_write).has_value());
}

BOOST_AUTO_TEST_CASE(without_a_seal_it_is_writable_again_or_read_only) {
    for (const demand insistence : {demand::required, demand::best_effort}) {
        test::simulated_area it(sealed{insistence});
        it.fail(backing_call::seal);
        const auto got = it.protect();
        if (insistence == demand::required)
            BOOST_TEST((!got && it.is_writable() && it.achieved() == strength::none));
        else
            BOOST_TEST((got == strength::read_only && !it.is_writable()));
        BOOST_TEST((it.protect() == strength::sealed)); // it climbs on when it can
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_again_stays_closed_and_goes_on) {
    test::simulated_area it(sealed{});
    BOOST_TEST(it.protection.make_ready(it.backing, it.region, it.state).has_value());
    it.fail(backing_call::seal);
    it.fail(backing_call::replace_view);
    BOOST_TEST(!it.protect().has_value());
    BOOST_TEST((it.achieved() == strength::read_only && !it.is_writable()));
    BOOST_TEST(!it.protection.admits(it.state, {}));
    BOOST_TEST((it.protect() == strength::sealed));
}

} // namespace
