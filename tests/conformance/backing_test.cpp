// SPDX-License-Identifier: MIT
// What concepts/backing.hpp asks of every backing, in its order; its refinements that change what
// the memory allows are in backing_refinements_test.cpp.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "models/backings.hpp"
#include "support/backing_checks.hpp"
#include "support/rig_memory.hpp"

using namespace palloc;
using test::rig;

namespace {

template <class B>
struct can_map : std::bool_constant<backing_can_map<B>> {};
template <class B>
struct can_adopt : std::bool_constant<backing_can_adopt<B>> {};
template <class B>
struct can_map_touchable
    : std::bool_constant<backing_can_map<B> && memory_may_be_touched<B> && !backing_can_commit<B>> {
};
template <class B>
struct knows_more
    : std::bool_constant<backing_can_adopt<B> &&
                         (backing_knows_physical_addresses<B> || backing_knows_owners<B>)> {};

template <template <class> class Has>
using models_that = boost::mp11::mp_copy_if<test::backing_models, Has>;

/// A region of two pages, made in whatever way the backing makes them.
template <class Backing>
typename Backing::region some_region(Backing& backing) {
    if constexpr (backing_can_map<Backing>)
        return backing.map({.bytes = 2 * backing.page_bytes()}).value();
    else
        return backing.adopt({.where = {0x10000, 2 * backing.page_bytes()}}).value();
}

} // namespace

BOOST_AUTO_TEST_SUITE(every_backing)

BOOST_AUTO_TEST_CASE_TEMPLATE(works_in_pages, Backing, test::backing_models) {
    rig<Backing> it;
    BOOST_TEST(std::has_single_bit(std::as_const(it.backing).page_bytes()));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_region_can_be_moved_and_says_where_it_is, Backing,
                              test::backing_models) {
    rig<Backing> it;
    auto region = some_region(it.backing);
    const range where = it.backing.where(region);
    BOOST_TEST(where.bytes == 2 * it.backing.page_bytes());
    auto moved = std::move(region);
    BOOST_TEST(it.backing.where(moved) == where);
    Backing other = std::move(it.backing);
    BOOST_TEST(other.where(moved) == where);
    BOOST_TEST(other.unmap(moved).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_unmapped_region_is_gone, Backing, test::backing_models) {
    rig<Backing> it;
    const test::rig_memory memory(it);
    auto region = some_region(it.backing);
    const range where = it.backing.where(region);
    BOOST_TEST(it.backing.unmap(region).has_value());
    BOOST_TEST(it.backing.where(region).bytes == 0u);
    if constexpr (backing_can_map<Backing> && backing_can_change_permissions<Backing>)
        BOOST_TEST(!memory.readable(where.base));
    if (const fake_space* const space = test::space_of(it))
        BOOST_TEST(space->mapped_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_failed_unmap_leaves_the_region_as_it_was, Backing,
                              test::backing_models) {
    rig<Backing> it;
    auto region = some_region(it.backing);
    const range where = it.backing.where(region);
    if (test::fail_nth(it, backing_call::unmap, 1)) {
        BOOST_TEST(!it.backing.unmap(region).has_value());
        BOOST_TEST(it.backing.where(region) == where);
        if constexpr (backing_can_map<Backing>)
            test::check_touchable<Backing>(where);
        test::fail_nth(it, backing_call::unmap, 0);
    }
    BOOST_TEST(it.backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(maps_what_it_is_asked_for, Backing, models_that<can_map>) {
    rig<Backing> it;
    test::check_mapping(it.backing);
    if (const fake_space* const space = test::space_of(it))
        BOOST_TEST(space->mapped_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(refuses_what_nobody_can_map, Backing, models_that<can_map>) {
    rig<Backing> it;
    test::check_refusals(it.backing);
    BOOST_TEST(!it.backing.map({.bytes = 1, .within = {0, 0}}).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(maps_inside_the_range_or_not_at_all, Backing, models_that<can_map>) {
    rig<Backing> it;
    const std::uint64_t page = it.backing.page_bytes();
    auto found = it.backing.map({.bytes = 64 * page, .alignment = 64 * page}).value();
    const range free = it.backing.where(found);
    BOOST_TEST_REQUIRE(it.backing.unmap(found).has_value());
    for (const range within : {free, range{free.base + 1, free.bytes - 2},
                               range{free.base + 3 * page, 5 * page}, range{free.base, page - 1}})
        for (const std::uint64_t bytes : {page, 3 * page, 64 * page})
            for (const std::uint64_t alignment : {page, 4 * page}) {
                auto made =
                    it.backing.map({.bytes = bytes, .alignment = alignment, .within = within});
                if (!made)
                    continue;
                const range where = it.backing.where(*made);
                BOOST_TEST(within.contains(where));
                BOOST_TEST(where.base % alignment == 0u);
                BOOST_TEST(it.backing.unmap(*made).has_value());
            }
    const auto all = it.backing.map({.bytes = 64 * page, .within = free});
    BOOST_TEST((all.has_value() || all.error().code == errc::not_supported));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_failed_map_leaves_nothing_behind, Backing, models_that<can_map>) {
    rig<Backing> it;
    const map_request wanted{.bytes = it.backing.page_bytes(), .alignment = 1 << 20};
    if (test::fail_nth(it, backing_call::map, 1)) {
        BOOST_TEST(!it.backing.map(wanted).has_value());
        if (const fake_space* const space = test::space_of(it))
            BOOST_TEST(space->mapped_bytes() == 0u);
        test::fail_nth(it, backing_call::map, 0);
    }
    auto made = it.backing.map(wanted);
    BOOST_TEST_REQUIRE(made.has_value());
    BOOST_TEST(it.backing.unmap(*made).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(maps_zeroed_memory_again_and_again, Backing,
                              models_that<can_map_touchable>) {
    rig<Backing> it;
    for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{100'000}})
        for (int round = 0; round != 20; ++round) {
            auto region = it.backing.map({.bytes = bytes}).value();
            const range where = it.backing.where(region);
            auto* const first = reinterpret_cast<unsigned char*>(where.base);
            BOOST_TEST(
                std::all_of(first, first + where.bytes, [](auto byte) { return byte == 0; }));
            std::memset(first, 0xa5, static_cast<std::size_t>(where.bytes));
            BOOST_TEST(it.backing.unmap(region).has_value());
        }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(adopts_ranges_and_gives_them_back, Backing, models_that<can_adopt>) {
    rig<Backing> it;
    std::vector<typename Backing::region> regions;
    for (const range given :
         {range{0x10001, 99}, range{0x20000, 1}, range{~address{0} - 4095, 4096}}) {
        regions.push_back(it.backing.adopt({.where = given}).value());
        BOOST_TEST(it.backing.where(regions.back()) == given);
    }
    test::check_fails(it.backing.adopt({.where = {~address{0}, 2}}), {errc::bad_argument});
    for (auto& region : regions)
        BOOST_TEST(it.backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(remembers_what_it_is_told_of_a_range, Backing,
                              models_that<knows_more>) {
    rig<Backing> it;
    int owner = 0;
    auto told =
        it.backing.adopt({.where = {0x10000, 100}, .physical = 0xabc000, .owner = &owner}).value();
    auto silent = it.backing.adopt({.where = {0x20000, 100}}).value();
    if constexpr (backing_knows_owners<Backing>) {
        BOOST_TEST(it.backing.owner(told) == &owner);
        BOOST_TEST(it.backing.owner(silent) == nullptr);
    }
    if constexpr (backing_knows_physical_addresses<Backing>) {
        BOOST_TEST(it.backing.physical(told, 0x10000).value() == 0xabc000u);
        BOOST_TEST(it.backing.physical(told, 0x10063).value() == 0xabc063u);
        test::check_fails(it.backing.physical(told, 0x10064), {errc::not_ours});
        test::check_fails(it.backing.physical(silent, 0x20000), {errc::not_supported});
    }
    BOOST_TEST(it.backing.unmap(told).has_value());
    BOOST_TEST(it.backing.unmap(silent).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
