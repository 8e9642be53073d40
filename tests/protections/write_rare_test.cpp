// SPDX-License-Identifier: MIT
#include <palloc/compositions/native_memory.hpp>
#include <palloc/core/write_window.hpp>
#include <palloc/protections/write_rare.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>

#include "protections/area.hpp"

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
