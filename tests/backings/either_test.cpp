// SPDX-License-Identifier: MIT
#include <palloc/backings/either.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>

#include <boost/test/unit_test.hpp>

using namespace palloc;

namespace {

using both = either<memfd, mmap_backing>;

static_assert(backing_can_map<both> && memory_may_be_touched<both>);
static_assert(backing_replaces_parts_of_views<both> && backing_can_forbid_writers<both>);
static_assert(backing_can_populate<both>);
static_assert(backing_can_change_permissions<both>);
static_assert(!backing_states_fork_treatment<both>); // but region by region

} // namespace

BOOST_AUTO_TEST_SUITE(either_backing)

BOOST_AUTO_TEST_CASE(regions_remember_whose_they_are) {
    both backing;
    auto first = backing.map({.bytes = 4096}).value();
    backing.prefer_first(false);
    auto second = backing.map({.bytes = 4096}).value();
    BOOST_TEST((both::is_first(first) && !both::is_first(second)));
    BOOST_TEST((backing.in_child(first) == fork_treatment::read_only));
    BOOST_TEST((backing.in_child(second) == fork_treatment::copied));
    BOOST_TEST(backing.open_alias(first).has_value());
    BOOST_TEST((backing.open_alias(second).error().code == errc::not_supported));
    BOOST_TEST(
        (backing.replace_view(second, permissions::read).error().code == errc::not_supported));
    BOOST_TEST(backing.protect(second, backing.where(second), permissions::read).has_value());
    BOOST_TEST(backing.unmap(first).has_value());
    BOOST_TEST(backing.unmap(second).has_value());
}

BOOST_AUTO_TEST_CASE(the_second_serves_where_the_first_cannot) {
    // A memfd cannot show a child of fork a copy.
    both backing(memfd({.in_child = fork_treatment::copied}));
    auto region = backing.map({.bytes = 4096}).value();
    BOOST_TEST(!both::is_first(region));
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST((backing.map({.bytes = 0}).error().code == errc::zero_size));
}

BOOST_AUTO_TEST_SUITE_END()
