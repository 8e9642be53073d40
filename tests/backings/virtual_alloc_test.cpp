// SPDX-License-Identifier: MIT
// What the conformance suite does not ask of VirtualAlloc: failing commits, places, large pages.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/virtual_alloc.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/core/address_space.hpp>
#include <palloc/granularities/order_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/read_only.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <thread>
#include <vector>

#include "backends/seam.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/page_probe.hpp"
#include "support/skip.hpp"

using namespace palloc;
using test::check_fails;

namespace {

constexpr int no_commitment = 1455; // ERROR_COMMITMENT_LIMIT

using page_pool = pool<order_granule, virtual_alloc, boundary<indexed>, first_fit, unprotected>;

} // namespace

BOOST_AUTO_TEST_SUITE(virtual_alloc_itself)

BOOST_AUTO_TEST_CASE(a_block_that_cannot_be_committed_is_an_error_and_nothing_else) {
    page_pool pages({.growth = growth_policy::refill(1 << 20)}, order_granule(12));
    const auto kept = pages.allocate(8192);
    BOOST_TEST_REQUIRE(kept.has_value());
    *reinterpret_cast<volatile char*>(*kept) = 7;
    const auto used = pages.used_bytes();
    os::fail_nth(os::call::commit, 1, no_commitment);
    check_fails(pages.allocate(16384), {errc::os_failure, no_commitment});
    BOOST_TEST(pages.used_bytes() == used);
    BOOST_TEST(*reinterpret_cast<volatile char*>(*kept) == 7);
    const auto later = pages.allocate(16384);
    BOOST_TEST_REQUIRE(later.has_value());
    *reinterpret_cast<volatile char*>(*later + 16383) = 7;
    BOOST_TEST(pages.deallocate(*later, 16384).has_value());
    BOOST_TEST(pages.deallocate(*kept, 8192).has_value());
}

BOOST_AUTO_TEST_CASE(giving_back_takes_no_memory) {
    page_pool pages({.growth = growth_policy::refill(1 << 20)}, order_granule(12));
    std::vector<address> blocks;
    for (int i = 0; i != 50; ++i)
        blocks.push_back(pages.allocate(4096).value());
    // None of the calls that a release makes asks for memory.
    const auto asked = [] {
        return os::calls(os::call::allocate) + os::calls(os::call::commit) +
               os::calls(os::call::section) + os::calls(os::call::map);
    };
    const auto before = asked();
    for (const address each : blocks)
        BOOST_TEST(pages.deallocate(each, 4096).has_value());
    BOOST_TEST(asked() == before);
}

BOOST_AUTO_TEST_CASE(what_was_freed_faults_and_comes_back_as_zeros) {
    page_pool pages({.growth = growth_policy::refill(1 << 20)}, order_granule(12));
    const test::page_probe probe;
    const auto keep = pages.allocate(4096).value();
    const auto block = pages.allocate(4096).value();
    *reinterpret_cast<volatile char*>(block) = 7;
    BOOST_TEST(pages.deallocate(block, 4096).has_value());
    BOOST_TEST(!probe.readable(block));
    const auto again = pages.allocate(4096).value();
    BOOST_TEST(again == block);
    BOOST_TEST(*reinterpret_cast<volatile char*>(again) == 0);
    BOOST_TEST(pages.deallocate(again, 4096).has_value());
    BOOST_TEST(pages.deallocate(keep, 4096).has_value());
}

BOOST_AUTO_TEST_CASE(the_place_is_as_wished_with_or_without_help_of_the_system) {
    committed_alloc backing;
    auto found = backing.map({.bytes = 1 << 24, .alignment = 1 << 24}).value();
    const range free = backing.where(found);
    BOOST_TEST(free.base % (1 << 24) == 0u);
    BOOST_TEST_REQUIRE(backing.unmap(found).has_value());
    std::vector<committed_alloc::region> all;
    for (const std::uint64_t alignment : {1u, 1u << 16, 1u << 20})
        for (int i = 0; i != 4; ++i) {
            auto made = backing.map({.bytes = 70'000, .alignment = alignment, .within = free});
            BOOST_TEST_REQUIRE(made.has_value());
            BOOST_TEST(free.contains(backing.where(*made)));
            BOOST_TEST(backing.where(*made).base % alignment == 0u);
            all.push_back(std::move(*made));
        }
    check_fails(backing.map({.bytes = 1 << 24, .within = free}), {errc::out_of_memory});
    check_fails(backing.map({.bytes = 4096, .within = {free.base + 1, 65536}}),
                {errc::out_of_memory}); // nothing begins there
    for (auto& each : all)
        BOOST_TEST(backing.unmap(each).has_value());
}

BOOST_AUTO_TEST_CASE(the_largest_gap_can_be_mapped) {
    virtual_alloc backing;
    const range gap = largest_gap(anywhere).value();
    BOOST_TEST(gap.bytes > std::uint64_t{1} << 40);
    auto there = backing.map({.bytes = 1 << 20, .within = {gap.base, 1 << 20}});
    BOOST_TEST_REQUIRE(there.has_value());
    BOOST_TEST(backing.where(*there).base == gap.base);
    BOOST_TEST(largest_gap({gap.base, 1 << 20}).value().bytes == 0u);
    BOOST_TEST(backing.unmap(*there).has_value());
}

BOOST_AUTO_TEST_CASE(threads_get_different_places_of_a_range) {
    committed_alloc source;
    auto found = source.map({.bytes = 1 << 24, .alignment = 1 << 24}).value();
    const range free = source.where(found);
    BOOST_TEST_REQUIRE(source.unmap(found).has_value());
    constexpr std::size_t each = 20;
    std::vector<std::vector<committed_alloc::region>> made(4);
    std::vector<std::thread> threads;
    for (auto& mine : made)
        threads.emplace_back([&] {
            committed_alloc backing;
            for (std::size_t i = 0; i != each; ++i)
                if (auto got = backing.map({.bytes = 65536, .within = free}))
                    mine.push_back(std::move(*got));
        });
    for (auto& thread : threads)
        thread.join();
    std::vector<range> places;
    for (auto& mine : made) {
        BOOST_TEST(mine.size() == each);
        for (auto& region : mine) {
            for (const range other : places)
                BOOST_TEST(!other.overlaps(source.where(region)));
            places.push_back(source.where(region));
            BOOST_TEST(source.unmap(region).has_value());
        }
    }
}

BOOST_AUTO_TEST_CASE(an_area_that_is_protected_stays_so_for_pages_that_come_later) {
    virtual_alloc backing;
    auto region = backing.map({.bytes = 8 * 4096}).value();
    const range where = backing.where(region);
    const test::page_probe probe;
    BOOST_TEST(backing.commit(region, {where.base, 4096}).has_value());
    read_only protection;
    read_only::area_state state;
    BOOST_TEST(protection.protect(backing, region, state).has_value());
    BOOST_TEST(!probe.writable(where.base));
    BOOST_TEST(backing.commit(region, {where.base + 4096, 4096}).has_value());
    BOOST_TEST((probe.readable(where.base + 4096) && !probe.writable(where.base + 4096)));
    BOOST_TEST(protection.close_area(backing, region, state).has_value());
    BOOST_TEST((probe.writable(where.base) && probe.writable(where.base + 4096)));
    // A page that differs keeps what it allows when its neighbours are committed.
    BOOST_TEST(backing.protect(region, {where.base, 4096}, permissions::read).has_value());
    BOOST_TEST(backing.commit(region, {where.base, 4 * 4096}).has_value());
    BOOST_TEST((!probe.writable(where.base) && probe.writable(where.base + 3 * 4096)));
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(large_pages_are_had_or_refused) {
    using large_pages = virtual_alloc_options::large_pages;
    committed_alloc wishing({.large = large_pages::if_possible});
    committed_alloc insisting({.large = large_pages::required});
    const auto page = committed_alloc::large_page_bytes();
    if (!page) {
        BOOST_TEST(page.error().code == errc::not_supported);
        check_fails(insisting.map({.bytes = 4 << 20}), page.error());
        auto ordinary = wishing.map({.bytes = 4 << 20}).value();
        BOOST_TEST(!wishing.is_large(ordinary));
        BOOST_TEST(wishing.unmap(ordinary).has_value());
        return;
    }
    check_fails(insisting.map({.bytes = 4096}), {errc::not_supported}); // not a multiple
    auto region = insisting.map({.bytes = 2 * *page});
    if (!region)
        test::skip("the privilege is there, and no large page is");
    BOOST_TEST(insisting.is_large(*region));
    BOOST_TEST(insisting.where(*region).base % *page == 0u);
    auto* const last = reinterpret_cast<volatile char*>(insisting.where(*region).base + 2 * *page);
    last[-1] = 7;
    BOOST_TEST(last[-1] == 7);
    BOOST_TEST(insisting.unmap(*region).has_value());
    virtual_alloc by_block({.large = large_pages::required});
    auto other = by_block.map({.bytes = *page}).value();
    const range where = by_block.where(other);
    BOOST_TEST(by_block.commit(other, where).has_value());
    check_fails(by_block.decommit(other, where), {errc::not_supported}); // they stay
    BOOST_TEST(by_block.unmap(other).has_value());
}

BOOST_AUTO_TEST_CASE(no_failing_call_leaves_anything_behind) {
    virtual_alloc backing;
    const auto pages = test::mapped_pages();
    for (std::uint64_t n = 1;; ++n) {
        const auto calls = os::calls(os::call::any);
        os::fail_nth(os::call::any, n, 8);
        auto made = backing.map({.bytes = 1 << 20, .alignment = 1 << 20});
        const bool reached = os::calls(os::call::any) - calls >= n;
        os::fail_nth(os::call::any, 0, 0);
        if (made)
            BOOST_TEST(backing.unmap(*made).has_value());
        BOOST_TEST(test::mapped_pages() == pages);
        if (!reached)
            break;
        BOOST_TEST_REQUIRE(n < 100u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
