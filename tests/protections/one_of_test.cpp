// SPDX-License-Identifier: MIT
#include <palloc/compositions/native_memory.hpp>
#include <palloc/protections/one_of.hpp>
#include <palloc/protections/read_only.hpp>
#include <palloc/protections/sealed.hpp>
#include <palloc/protections/write_rare.hpp>

#include <boost/test/unit_test.hpp>

#include "protections/area.hpp"

namespace {

using namespace palloc;
using choice = one_of<read_only, sealed, write_rare>;

static_assert(protection_closes_in_two_steps<choice, fake>);
static_assert(protection_opens_windows<choice, fake> && protection_can_store<choice, fake>);
static_assert(!protection_for<choice, native_memory>); // one of them asks for more
static_assert(!protection_opens_windows<one_of<read_only, sealed>, fake>);

BOOST_AUTO_TEST_CASE(it_is_the_one_that_was_chosen) {
    const auto reached = [](choice chosen) {
        test::simulated_area<choice> it(std::move(chosen));
        return it.protect().value();
    };
    BOOST_TEST((reached({}) == strength::read_only));
    BOOST_TEST((reached(sealed{}) == strength::sealed));
    BOOST_TEST((reached(write_rare{}) == strength::guarded));
    BOOST_TEST((choice(sealed{}).is<sealed>() && !choice(sealed{}).is<read_only>()));
}

BOOST_AUTO_TEST_CASE(what_the_chosen_one_has_not_is_not_supported) {
    test::simulated_area<choice> it(sealed{});
    const error expected{errc::not_supported};
    const auto window = it.protection.open_window(it.backing, it.region, it.state, it.where);
    BOOST_TEST((window.error() == expected));
    BOOST_TEST((it.protection.end_writing(it.backing, it.region, it.state).error() == expected));
    BOOST_TEST((it.protection.store(it.backing, it.region, it.state, it.where.base, {}).error() ==
                expected));
}

} // namespace
