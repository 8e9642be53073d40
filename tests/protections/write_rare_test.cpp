// SPDX-License-Identifier: MIT
#include <palloc/compositions/native_memory.hpp>
#include <palloc/core/write_window.hpp>
#include <palloc/protections/write_rare.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <thread>

#include "protections/area.hpp"
#include "support/page_probe.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;
using area = test::simulated_area<write_rare>;

static_assert(protection_can_end_writing<write_rare, native_views>);
static_assert(protection_can_store<write_rare, native_views>);
static_assert(protection_opens_windows<write_rare, native_views>);
static_assert(!protection_for<write_rare, native_memory>);

auto window(area& it, range part) {
    return it.protection.open_window(it.backing, it.region, it.state, part);
}

/// Without keys, unless there are some.
void lack_keys(area& it) {
    it.space.script.fail_nth(backing_call::lock, 1, {errc::not_supported});
}

BOOST_AUTO_TEST_CASE(without_keys_a_part_is_shown_for_as_long_as_the_window_is_open) {
    area it(write_rare{});
    lack_keys(it);
    BOOST_TEST((it.protect() == strength::read_only));
    const std::uint64_t mapped = it.space.mapped_bytes();
    const range part{it.where.base + 5000, 100};
    {
        const auto open = window(it, part).value();
        const address there = open.writable().base;
        BOOST_TEST((!it.space.write_faults(there) && !it.is_writable()));
        BOOST_TEST(it.space.content_at(there) == it.space.content_at(part.base));
    }
    BOOST_TEST(it.space.mapped_bytes() == mapped);
}

BOOST_AUTO_TEST_CASE(without_keys_a_copy_needs_no_view) {
    area it(write_rare{});
    lack_keys(it);
    BOOST_TEST(it.protect().has_value());
    const auto before = it.space.content_at(it.where.base);
    it.space.start_log();
    const std::array<std::byte, 8> word{};
    BOOST_TEST(
        it.protection.store(it.backing, it.region, it.state, it.where.base, word).has_value());
    BOOST_TEST(it.space.content_at(it.where.base) != before);
    BOOST_TEST(it.space.log().size() == 1u);
}

BOOST_AUTO_TEST_CASE(with_keys_no_call_is_made_for_a_window) {
    area it(write_rare{});
    BOOST_TEST((it.protect() == strength::guarded));
    it.space.start_log();
    {
        const auto open = window(it, {it.where.base, 8}).value();
        BOOST_TEST(!it.space.write_faults(open.writable().base));
    }
    BOOST_TEST(it.space.log().empty());
}

BOOST_AUTO_TEST_CASE(with_keys_windows_close_in_any_order) {
    for (const bool first_closes_first : {true, false}) {
        area it(write_rare{});
        BOOST_TEST((it.protect() == strength::guarded));
        auto first = window(it, {it.where.base, 8}).value();
        auto second = window(it, {it.where.base + 8, 8}).value();
        const address there = first.writable().base;
        BOOST_TEST((first_closes_first ? first : second).close().has_value());
        BOOST_TEST(!it.space.write_faults(there));
        BOOST_TEST((first_closes_first ? second : first).close().has_value());
        BOOST_TEST((it.space.write_faults(there) && it.space.read_faults(there)));
    }
}

/// The keys of this machine.
BOOST_AUTO_TEST_CASE(a_window_is_one_thread_s_alone) {
    memfd backing;
    auto region = backing.map({.bytes = 4096}).value();
    write_rare protection({.windows_of_one_thread = demand::required});
    write_rare::area_state state;
    if (const auto got = protection.protect(backing, region, state); !got) {
        BOOST_TEST(backing.unmap(region).has_value());
        test::skip("this machine has no protection keys");
    }
    BOOST_TEST((protection.achieved(state) == strength::guarded));
    const address place = backing.where(region).base;
    const test::page_probe probe;
    const auto open = [&] {
        return protection.open_window(backing, region, state, {place, 8}).value();
    };
    const address alias = open().writable().base;
    const auto is_shut = [&] {
        return probe.readable(place) && !probe.writable(place) && !probe.readable(alias) &&
               !probe.writable(alias);
    };
    BOOST_TEST((alias != place && is_shut()));
    std::atomic<int> step = 0;
    std::thread other([&] { // older than the window
        while (step != 1)
            std::this_thread::yield();
        BOOST_TEST(is_shut());
        auto own = open();
        BOOST_TEST(probe.writable(alias));
        step = 2;
        while (step != 3)
            std::this_thread::yield();
        BOOST_TEST(own.close().has_value());
        BOOST_TEST(is_shut());
    });
    auto mine = open();
    *reinterpret_cast<volatile char*>(mine.writable().base) = 'x';
    BOOST_TEST(*reinterpret_cast<const volatile char*>(place) == 'x');
    step = 1;
    while (step != 2)
        std::this_thread::yield();
    BOOST_TEST(mine.close().has_value());
    BOOST_TEST(is_shut()); // though the other's is open
    step = 3;
    other.join();
    BOOST_TEST(protection.close_area(backing, region, state).has_value());
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(windows_of_one_thread_can_be_required) {
    area it(write_rare{{.windows_of_one_thread = demand::required}});
    lack_keys(it);
    BOOST_TEST(!it.protect().has_value());
    BOOST_TEST((it.is_writable() && it.achieved() == strength::none));
    BOOST_TEST((it.protect() == strength::guarded));
}

BOOST_AUTO_TEST_CASE(a_view_that_could_not_be_hidden_is_not_left_standing) {
    area it(write_rare{});
    lack_keys(it);
    it.fail(backing_call::close_alias);
    BOOST_TEST(!it.protect().has_value()); // a writable view stands, so nothing is protected
    BOOST_TEST(it.is_writable());
    BOOST_TEST((it.protect() == strength::guarded)); // it was locked at the second attempt
}

BOOST_AUTO_TEST_CASE(from_birth_blocks_are_handed_out_protected) {
    area it(write_rare{{.from_birth = true}});
    BOOST_TEST((it.achieved() == strength::guarded && !it.is_writable()));
    BOOST_TEST(it.protection.admits(it.state, {}));
    BOOST_TEST((it.protection.on_release(it.state) == release_action::keep_dead));
}

BOOST_AUTO_TEST_CASE(the_end_of_writing_is_for_good) {
    area it(write_rare{{.from_birth = true}});
    it.fail(backing_call::close_alias);
    const auto end = [&] { return it.protection.end_writing(it.backing, it.region, it.state); };
    BOOST_TEST(!end().has_value());
    BOOST_TEST((window(it, it.where).error() == error{errc::is_protected})); // already
    BOOST_TEST((end() == strength::sealed));
    BOOST_TEST((end() == strength::sealed));
    BOOST_TEST(!it.protection.admits(it.state, {}));
    BOOST_TEST((it.protect() == strength::sealed));
}

} // namespace
