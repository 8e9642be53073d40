// SPDX-License-Identifier: MIT
#include <palloc/backings/mmap.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "backends/os.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/page_probe.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(maps_and_unmaps) {
    mmap_backing backing;
    test::check_mapping(backing);
    test::check_refusals(backing);
}

BOOST_AUTO_TEST_CASE(memory_is_zero_and_gone_afterwards) {
    const test::page_probe probe;
    mmap_backing backing;
    auto region = backing.map({.bytes = 1 << 20}).value();
    const range where = backing.where(region);
    const auto* const bytes = reinterpret_cast<const char*>(where.base);
    BOOST_TEST(std::all_of(bytes, bytes + where.bytes, [](char byte) { return byte == 0; }));
    BOOST_TEST((probe.writable(where.base) && probe.writable(where.base + where.bytes - 1)));
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST((!probe.readable(where.base) && !probe.readable(where.base + where.bytes - 1)));
}

BOOST_AUTO_TEST_CASE(a_large_alignment_leaves_nothing_beside_the_region) {
    mmap_backing backing;
    const std::uint64_t before = test::mapped_pages();
    auto region = backing.map({.bytes = 1, .alignment = std::uint64_t{1} << 30}).value();
    BOOST_TEST(backing.where(region).base % (std::uint64_t{1} << 30) == 0);
    BOOST_TEST(test::mapped_pages() == before + 1);
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(test::mapped_pages() == before);
}

BOOST_AUTO_TEST_CASE(sizes_and_alignments_that_overflow_are_refused) {
    mmap_backing backing;
    test::check_fails(backing.map({.bytes = ~std::uint64_t{0}}), {errc::too_large});
    const std::uint64_t half = std::uint64_t{1} << 63;
    test::check_fails(backing.map({.bytes = half + 4097, .alignment = half}), {errc::too_large});
    test::check_fails(backing.map({.bytes = std::uint64_t{1} << 60}), {errc::os_failure, ENOMEM});
    test::check_fails(backing.map({.bytes = 1, .node = numa_node{0}}), {errc::not_supported});
}

/// Addresses where nothing is mapped: they were, until just now.
range empty_window(mmap_backing& backing, std::uint64_t bytes) {
    auto region = backing.map({.bytes = bytes, .alignment = bytes}).value();
    const range where = backing.where(region);
    BOOST_TEST_REQUIRE(backing.unmap(region).has_value());
    return where;
}

BOOST_AUTO_TEST_CASE(a_range_is_honoured_and_filled_completely) {
    mmap_backing backing;
    const range window = empty_window(backing, 64 << 20);
    const std::uint64_t page = backing.page_bytes();
    const range within{window.base + 1, window.bytes - 2}; // cuts a page at either end
    std::vector<mmap_backing::region> regions;
    for (;;) {
        auto made = backing.map({.bytes = 1 << 20, .alignment = 4 << 20, .within = within});
        if (!made) {
            BOOST_TEST(made.error() == error{errc::out_of_memory});
            break;
        }
        const range where = backing.where(*made);
        BOOST_TEST(within.contains(where));
        BOOST_TEST(where.base % (4 << 20) == 0);
        for (const auto& other : regions)
            BOOST_TEST(!where.overlaps(backing.where(other)));
        regions.push_back(*made);
    }
    BOOST_TEST(regions.size() == 15); // of 16 aligned places the lowest is cut off
    const auto between = backing.map({.bytes = 3 * page, .within = within}).value();
    BOOST_TEST(backing.where(between).base == window.base + page);
    regions.push_back(between);
    for (auto& region : regions)
        BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(a_range_without_room_is_said_to_have_none) {
    mmap_backing backing;
    const range window = empty_window(backing, 1 << 20);
    const range small{window.base, 4096};
    test::check_fails(backing.map({.bytes = 4097, .within = small}), {errc::out_of_memory});
    test::check_fails(backing.map({.bytes = 1, .within = {window.base + 1, 4096}}),
                      {errc::out_of_memory});
    test::check_fails(backing.map({.bytes = 1, .within = {0, 4096}}), {errc::out_of_memory});
    test::check_fails(backing.map({.bytes = 1, .within = {~std::uint64_t{0} - 8192, 8192}}),
                      {errc::out_of_memory});
}

BOOST_AUTO_TEST_CASE(permissions_are_those_of_the_pages_asked_for) {
    const test::page_probe probe;
    mmap_backing backing;
    const std::uint64_t page = backing.page_bytes();
    auto region = backing.map({.bytes = 3 * page}).value();
    const address base = backing.where(region).base;
    BOOST_TEST(backing.protect(region, {base + page, page}, permissions::read).has_value());
    BOOST_TEST((probe.readable(base + page) && !probe.writable(base + page)));
    BOOST_TEST((probe.writable(base) && probe.writable(base + 2 * page)));
    BOOST_TEST(backing.protect(region, {base, page}, permissions::none).has_value());
    BOOST_TEST(!probe.readable(base));
    BOOST_TEST(backing.protect(region, {base, page}, permissions::read_execute).has_value());
    BOOST_TEST((probe.readable(base) && !probe.writable(base)));
    BOOST_TEST(backing.protect(region, {base, 3 * page}, permissions::read_write).has_value());
    BOOST_TEST((probe.writable(base) && probe.writable(base + page)));
    for (const range wrong : {range{base + 1, page}, range{base, page - 1}, range{base, 4 * page},
                              range{base - page, page}})
        test::check_fails(backing.protect(region, wrong, permissions::read), {errc::bad_argument});
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(swap_is_reserved_unless_it_is_not_to_be) {
    for (const bool reserve : {true, false}) {
        mmap_backing backing({.reserve_swap = reserve});
        // alone in its place, so that it is not joined to a neighbour
        const range window = empty_window(backing, 1 << 20);
        auto region = backing.map({.bytes = 4096, .within = {window.base + 65536, 4096}}).value();
        const std::string flags = test::mapping_flags(backing.where(region).base);
        BOOST_TEST_REQUIRE(!flags.empty());
        BOOST_TEST((flags.find(" nr ") == std::string::npos) == reserve);
        BOOST_TEST(backing.unmap(region).has_value());
    }
}

BOOST_AUTO_TEST_CASE(every_system_call_may_fail) {
    mmap_backing backing;
    auto warm = mmap_backing({.in_child = fork_treatment::absent}).map({.bytes = 1}).value();
    BOOST_TEST(backing.unmap(warm).has_value()); // a page that the process keeps
    const range window = empty_window(backing, 64 << 20);
    for (const map_request& wanted :
         {map_request{.bytes = 4096}, map_request{.bytes = 4096, .alignment = 32 << 20},
          map_request{.bytes = 4096, .within = window}}) {
        const auto [calls, survived] = test::fail_every_call([&] {
            auto made = backing.map(wanted);
            if (!made) {
                test::check_fails(made, {errc::os_failure, ENOTRECOVERABLE});
                return false;
            }
            const range where = backing.where(*made);
            const bool unmapped = backing.unmap(*made).has_value();
            if (!unmapped) { // then it is as it was, and can be unmapped again
                BOOST_TEST(backing.where(*made) == where);
                BOOST_TEST(backing.unmap(*made).has_value());
            }
            return unmapped;
        });
        BOOST_TEST(calls >= 2);
        // only to close what was read is not worth a failure
        BOOST_TEST(survived == (wanted.within == window ? 1U : 0U));
    }
    for (const auto child : {fork_treatment::absent, fork_treatment::wiped}) {
        mmap_backing treated({.in_child = child});
        const auto [calls, survived] = test::fail_every_call([&] {
            auto made = treated.map({.bytes = 4096});
            if (!made)
                return false;
            if (treated.unmap(*made))
                return true;
            BOOST_TEST(treated.unmap(*made).has_value());
            return false;
        });
        BOOST_TEST(calls == 3u);
        BOOST_TEST(survived == 0u);
    }
    auto region = backing.map({.bytes = 4096}).value();
    const range where = backing.where(region);
    os::fail_nth(os::call::protect, 1, EACCES);
    test::check_fails(backing.protect(region, where, permissions::read),
                      {errc::os_failure, EACCES});
    const test::page_probe probe;
    BOOST_TEST(probe.writable(where.base));
    if (backing.lock(region, view::main)) { // this machine has keys
        os::fail_nth(os::call::key_protect, 1, EACCES);
        test::check_fails(backing.unlock(region, view::main), {errc::os_failure, EACCES});
        BOOST_TEST(!probe.writable(where.base));
        BOOST_TEST(backing.unlock(region, view::main).has_value());
        os::fail_nth(os::call::key_protect, 1, EACCES);
        test::check_fails(backing.lock(region, view::main), {errc::os_failure, EACCES});
        BOOST_TEST(probe.writable(where.base));
    }
    BOOST_TEST(backing.unmap(region).has_value());
}

} // namespace
