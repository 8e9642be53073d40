// SPDX-License-Identifier: MIT
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/failing.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/compositions/native_memory.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>

#include "support/backing_checks.hpp"

namespace {

using namespace palloc;

static_assert(backing_can_map<failing<native_memory>> &&
              !backing_can_adopt<failing<native_memory>>);
static_assert(backing_can_adopt<failing<borrowed>> && backing_knows_owners<failing<borrowed>>);
static_assert(backing_can_seal<failing<fake>> && backing_can_move_pages<failing<fake>>);

BOOST_AUTO_TEST_CASE(without_a_wish_it_is_the_inner_backing) {
    fault_script script;
    failing backing(native_memory(), script);
    test::check_mapping(backing);
    test::check_refusals(backing);
    BOOST_TEST(script.calls(backing_call::map) == 63);
    BOOST_TEST(script.calls(backing_call::unmap) == 60);
    BOOST_TEST(script.calls(backing_call::any) == 123);
}

BOOST_AUTO_TEST_CASE(a_call_that_is_made_to_fail_does_not_reach_the_inner_backing) {
    fake_space space;
    fault_script script;
    failing backing(fake(space), script);
    const error wished{errc::over_limit, 7};

    script.fail_nth(backing_call::map, 2, wished);
    auto region = backing.map({.bytes = 4096}).value();
    auto other = backing.map({.bytes = 4096});
    test::check_fails(other, wished);
    BOOST_TEST(space.script.calls(backing_call::map) == 1);

    const range where = backing.where(region);
    const auto each = [&](backing_call kind, auto&& call) {
        script.fail_nth(kind, 1, wished);
        test::check_fails(call(), wished);
        BOOST_TEST(space.script.calls(kind) == 0);
        BOOST_TEST(call().has_value());
        BOOST_TEST(space.script.calls(kind) == 1);
    };
    each(backing_call::commit, [&] { return backing.commit(region, where); });
    auto target = backing.map({.bytes = 4096}).value();
    each(backing_call::move_pages,
         [&] { return backing.move_pages(region, where, target, backing.where(target).base); });
    each(backing_call::decommit, [&] { return backing.decommit(region, where); });
    each(backing_call::open_alias, [&] { return backing.open_alias(region); });
    each(backing_call::close_alias, [&] { return backing.close_alias(region); });
    each(backing_call::protect, [&] { return backing.protect(region, where, permissions::read); });
    each(backing_call::replace_view,
         [&] { return backing.replace_view(region, permissions::read); });
    each(backing_call::seal, [&] { return backing.seal(region); });
    each(backing_call::unmap, [&] { return backing.unmap(region); });
    each(backing_call::adopt, [&] { return backing.adopt({.where = {0x10, 16}}); });
}

BOOST_AUTO_TEST_CASE(any_call_may_be_the_one) {
    fault_script script;
    failing backing(borrowed(), script);
    script.fail_nth(backing_call::any, 2);
    auto region = backing.adopt({.where = {0x1000, 16}}).value();
    test::check_fails(backing.unmap(region), {errc::os_failure});
    BOOST_TEST(backing.unmap(region).has_value());
    script.fail_nth(backing_call::any, 1);
    script.fail_nth(backing_call::any, 0);
    BOOST_TEST(backing.adopt({.where = {0x1000, 16}}).has_value());
}

} // namespace
