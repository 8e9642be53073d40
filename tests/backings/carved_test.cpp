// SPDX-License-Identifier: MIT
#include <palloc/backings/carved.hpp>

#include <boost/test/unit_test.hpp>

#include "support/backing_checks.hpp"
#include "support/bump_parent.hpp"

namespace {

using namespace palloc;

struct touchable_parent : test::bump_parent {
    static constexpr bool is_touchable = true;
};
static_assert(memory_may_be_touched<carved<touchable_parent>>);
static_assert(!memory_may_be_touched<carved<test::bump_parent>>);
static_assert(!backing_states_fork_treatment<carved<touchable_parent>>); // no parent can be asked

BOOST_AUTO_TEST_CASE(maps_and_unmaps) {
    test::bump_parent parent;
    carved backing(parent);
    test::check_mapping(backing);
    test::check_refusals(backing);
    BOOST_TEST(parent.blocks.empty());
}

BOOST_AUTO_TEST_CASE(gives_back_what_it_took_with_size_and_alignment) {
    test::bump_parent parent;
    carved backing(parent);
    auto region = backing.map({.bytes = 100, .alignment = 256}).value();
    const range where = backing.where(region);
    BOOST_TEST(where.bytes == 100);
    BOOST_TEST((parent.blocks.at(where.base) == test::bump_parent::block{100, 256}));
    parent.refuses = true;
    test::check_fails(backing.unmap(region), {errc::os_failure});
    BOOST_TEST(backing.where(region) == where);
    parent.refuses = false;
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(parent.blocks.empty());
}

BOOST_AUTO_TEST_CASE(the_parent_alone_knows_the_place) {
    test::bump_parent parent;
    carved backing(parent);
    test::check_fails(backing.map({.bytes = 1, .within = {0, 1 << 20}}), {errc::not_supported});
    test::check_fails(backing.map({.bytes = 1, .node = numa_node{0}}), {errc::not_supported});
    BOOST_TEST(parent.blocks.empty());
}

} // namespace
