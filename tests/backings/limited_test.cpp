// SPDX-License-Identifier: MIT
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/limited.hpp>
#include <palloc/compositions/native_memory.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <utility>

#include "support/backing_checks.hpp"

namespace {

using namespace palloc;

static_assert(backing_can_map<limited<native_memory>> &&
              !backing_can_adopt<limited<native_memory>>);
static_assert(memory_may_be_touched<limited<native_memory>>);
static_assert(backing_can_change_permissions<limited<native_memory>>);
static_assert(!backing_has_two_views<limited<native_memory>>);
static_assert(backing_can_adopt<limited<borrowed>> && !backing_can_map<limited<borrowed>>);
static_assert(!memory_may_be_touched<limited<borrowed>>);
static_assert(backing_knows_physical_addresses<limited<borrowed>>);
static_assert(backing_can_seal<limited<fake>> && backing_can_move_pages<limited<fake>>);
static_assert(concurrent_backing<limited<fake>> && concurrent_backing<limited<limited<fake>>>);

BOOST_AUTO_TEST_CASE(maps_and_unmaps) {
    limited backing(native_memory(), std::uint64_t{1} << 30);
    test::check_mapping(backing);
    test::check_refusals(backing);
    BOOST_TEST(backing.used_bytes() == 0);
}

BOOST_AUTO_TEST_CASE(counts_whole_pages_of_all_regions) {
    fake_space space;
    limited backing(fake(space), 3 * 4096 + 4095);
    auto first = backing.map({.bytes = 4097}).value();
    BOOST_TEST(backing.used_bytes() == 2 * 4096);
    test::check_fails(backing.map({.bytes = 4097}), {errc::over_limit});
    test::check_fails(backing.map({.bytes = ~std::uint64_t{0}}), {errc::over_limit});
    auto second = backing.map({.bytes = 1}).value();
    test::check_fails(backing.map({.bytes = 1}), {errc::over_limit});
    BOOST_TEST(backing.unmap(first).has_value());
    BOOST_TEST(backing.used_bytes() == 4096);
    BOOST_TEST(backing.map({.bytes = 8192}).has_value());
    BOOST_TEST(backing.unmap(second).has_value());
    BOOST_TEST(backing.cap_bytes() == 3 * 4096 + 4095);
}

BOOST_AUTO_TEST_CASE(counts_what_is_adopted) {
    limited backing(borrowed(), 100);
    auto region = backing.adopt({.where = {0x1000, 60}}).value();
    test::check_fails(backing.adopt({.where = {0x2000, 41}}), {errc::over_limit});
    BOOST_TEST(backing.adopt({.where = {0x2000, 40}}).has_value());
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(backing.used_bytes() == 40);
}

BOOST_AUTO_TEST_CASE(a_failure_of_the_inner_backing_costs_nothing) {
    fake_space space;
    limited backing(fake(space), 1 << 20);
    space.script.fail_nth(backing_call::map, 1, error{errc::os_failure, 12});
    test::check_fails(backing.map({.bytes = 4096}), {errc::os_failure, 12});
    BOOST_TEST(backing.used_bytes() == 0);
    auto region = backing.map({.bytes = 4096}).value();
    space.script.fail_nth(backing_call::unmap, 1);
    test::check_fails(backing.unmap(region), {errc::os_failure});
    BOOST_TEST(backing.used_bytes() == 4096);
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(backing.used_bytes() == 0);
}

} // namespace
