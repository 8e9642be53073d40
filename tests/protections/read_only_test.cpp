// SPDX-License-Identifier: MIT
#include <palloc/backings/borrowed.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/protections/read_only.hpp>

#include <boost/test/unit_test.hpp>

#include <type_traits>

#include "protections/area.hpp"

namespace {

using namespace palloc;

static_assert(std::is_empty_v<read_only> && sizeof(read_only::area_state) == 1);
static_assert(protection_closes_in_two_steps<read_only, native_memory>);
static_assert(protection_can_close<read_only, native_views> &&
              !protection_for<read_only, borrowed>);
static_assert(!protection_opens_windows<read_only, native_views>);

BOOST_AUTO_TEST_CASE(one_call_protects_and_one_takes_it_back) {
    test::simulated_area it(read_only{});
    it.space.start_log();
    BOOST_TEST((it.protect() == strength::read_only));
    BOOST_TEST(!it.is_writable());
    BOOST_TEST((it.protect() == strength::read_only));
    BOOST_TEST(it.protection.take_back(it.backing, it.region, it.state).has_value());
    BOOST_TEST(it.is_writable());
    BOOST_TEST((it.achieved() == strength::none));
    BOOST_TEST(
        (it.space.log() == std::vector<fake_space::call>{{backing_call::protect, it.where, true},
                                                         {backing_call::protect, it.where, true}}));
}

} // namespace
