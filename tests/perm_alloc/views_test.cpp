// SPDX-License-Identifier: MIT
// What a perm_alloc promises beyond code that is written and called: views, strength, counts,
// errors.
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/core/address_space.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/perm_alloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory_resource>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "backends/seam.hpp"
#include "machine_code.hpp"
#include "page_rules.hpp"
#include "support/address_space.hpp"
#include "support/in_child.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;
using namespace palloc::test;

namespace {

using flipping = basic_perm_alloc<native_memory>;
using function = int();

template <class Allocator>
int call(const perm_allocation<Allocator>& code) {
    return code.template entry<function>()();
}
template <class Allocator>
auto code_of(Allocator& code, int value) {
    const auto block = code.allocate({.bytes = 16});
    BOOST_TEST_REQUIRE(block.has_value());
    BOOST_TEST_REQUIRE(block->write(0, returns(value)).has_value());
    return *block;
}

/// Counts windows and the permission changes that they took.
struct window_counter {
    std::uint64_t* windows;
    std::uint64_t* changes;
    void on(const event& e) noexcept {
        if (e.what == event::kind::open_window) {
            ++*windows;
            *changes += e.asked;
        }
    }
};

[[nodiscard]] std::uint64_t calls_that_change_views() {
    using os::call;
#if defined(_WIN32)
    return os::calls(call::map) + os::calls(call::unmap) + os::calls(call::protect);
#else
    return os::calls(call::map) + os::calls(call::protect) + os::calls(call::remap);
#endif
}

} // namespace

BOOST_AUTO_TEST_SUITE(perm_alloc_views)

BOOST_AUTO_TEST_CASE(addresses_are_translated_both_ways) {
    perm_alloc code;
    const auto block = code_of(code, 1);
    const auto writable = code.to_writable(block.address() + 5);
    BOOST_TEST_REQUIRE(writable.has_value());
    BOOST_TEST(*writable != block.address() + 5);
    BOOST_TEST(code.to_final(*writable).value() == block.address() + 5);
    BOOST_TEST(code.to_final(block.address()).value() == block.address());
    const auto changed = encoded(99);
    std::memcpy(reinterpret_cast<void*>(code.to_writable(block.address() + value_offset).value()),
                &changed, sizeof changed);
    flush_instructions(block.where());
    BOOST_TEST(call(block) == 99);
    BOOST_TEST((code.to_final(1).error().code == errc::not_ours));
    BOOST_TEST(code.free(block).has_value());

    flipping other;
    const auto flipped = code_of(other, 1);
    BOOST_TEST((other.to_writable(flipped.address()).error().code == errc::not_supported));
    BOOST_TEST(other.free(flipped).has_value());
}

BOOST_AUTO_TEST_CASE(a_weaker_strength_is_reported_and_can_be_refused) {
    flipping weak;
    const auto block = code_of(weak, 1);
    BOOST_TEST((weak.achieved(block.address()) == strength::write_or_execute));
    BOOST_TEST(weak.free(block).has_value());
    flipping strict({.require = strength::write_xor_execute});
    BOOST_TEST((strict.allocate({.bytes = 1}).error().code == errc::not_supported));
    BOOST_TEST(strict.as_pool().chunk_count() == 0u);
    perm_alloc strong({.require = strength::write_xor_execute});
    const auto good = code_of(strong, 1);
    BOOST_TEST((strong.achieved(good.address()) == strength::write_xor_execute));
    BOOST_TEST(strong.free(good).has_value());
}

BOOST_AUTO_TEST_CASE(where_two_views_cannot_be_had_permissions_flip) {
#if defined(_WIN32)
    skip("it forbids a child of fork to make files in memory");
#else
    BOOST_TEST(in_child([] {
                   if (!deny_memory_files())
                       return 1;
                   perm_alloc strict({.require = strength::write_xor_execute});
                   const auto refused = strict.allocate({.bytes = 16});
                   if (refused || strict.as_pool().chunk_count() != 0)
                       return 2;
                   perm_alloc code;
                   const auto block = code.allocate({.bytes = 16});
                   if (!block || code.achieved(block->address()) != strength::write_or_execute)
                       return 3;
                   return block->write(0, returns(6)) && call(*block) == 6 && code.free(*block) ? 0
                                                                                                : 4;
               }) == 0);
#endif
}

BOOST_AUTO_TEST_CASE(commits_through_a_second_view_change_no_permissions) {
    const auto count = [](auto& code, std::uint64_t& changes) {
        const auto block = code_of(code, 0);
        const std::uint64_t before = changes;
        const std::uint64_t calls = calls_that_change_views();
        for (int i = 1; i != 100; ++i) {
            BOOST_TEST(block.patch(value_offset, encoded(i)).has_value());
            BOOST_TEST(call(block) == i);
        }
        const std::uint64_t made = calls_that_change_views() - calls;
        BOOST_TEST(code.free(block).has_value());
        return std::pair{changes - before, made};
    };
    std::uint64_t windows = 0;
    std::uint64_t changes = 0;
    basic_perm_alloc<native_views, window_counter> twin({}, native_views(), {&windows, &changes});
    BOOST_TEST((count(twin, changes) == std::pair<std::uint64_t, std::uint64_t>{0, 0}));
    BOOST_TEST(twin.statistics().permission_changes == 0u);
    BOOST_TEST(twin.statistics().changes_avoided >= 2 * 99u);
    basic_perm_alloc<native_memory, window_counter> flip({}, native_memory(), {&windows, &changes});
    (void)count(flip, changes);
    BOOST_TEST(flip.statistics().permission_changes >= 2 * 99u);
    BOOST_TEST(windows >= 198u); // an observer sees them all
    BOOST_TEST(changes >= 2 * 99u);
}

BOOST_AUTO_TEST_CASE(a_mapping_for_each_arena_and_view_not_for_each_function) {
#if defined(_WIN32)
    skip("there each 64 KiB of code are a view, so that they are shown one by one");
#else
    perm_alloc code;
    std::vector<perm_alloc::allocation> blocks(20'000);
    for (auto& each : blocks) {
        each = *code.allocate({.bytes = 700});
        BOOST_TEST_REQUIRE(each.write(0, returns(1)).has_value());
    }
    std::size_t views = 0;
    mapping_reader().each([&](const mapping_line&, std::string_view name) {
        views += name.starts_with("/memfd:palloc") ? 1U : 0U;
    });
    const std::uint64_t arenas = code.as_pool().mapped_bytes() / (std::uint64_t{2} << 20);
    BOOST_TEST(views <= 2 * arenas + 2); // the one in work has a part that is not ready
    for (const auto& each : blocks)
        BOOST_TEST_REQUIRE(code.free(each).has_value());
    const std::uint64_t kept = code.as_pool().mapped_bytes();
    BOOST_TEST(kept == arenas * (std::uint64_t{2} << 20));
    BOOST_TEST(code.give_back_empty_arenas(1) < kept);
    BOOST_TEST(code.as_pool().chunk_count() == 1u);
    BOOST_TEST(code.give_back_empty_arenas() > 0u);
    BOOST_TEST(code.as_pool().chunk_count() == 0u);
    BOOST_TEST(code.give_back_empty_arenas() == 0u);
#endif
}

BOOST_AUTO_TEST_CASE(empty_arenas_are_kept_or_go) {
    for (const bool go : {false, true}) {
        perm_alloc code({.gives_back_empty_arenas = go});
        std::vector<perm_alloc::allocation> blocks(10'000);
        for (auto& each : blocks)
            each = *code.allocate({.bytes = 700});
        const std::size_t arenas = code.as_pool().chunk_count();
        const auto own = *code.allocate({.bytes = 1, .owns_pages = true});
        BOOST_TEST(code.as_pool().chunk_count() == arenas + 1);
        BOOST_TEST(arenas > 1u);
        BOOST_TEST(code.give_back_empty_arenas() == 0u);
        BOOST_TEST(code.free(own).has_value());
        BOOST_TEST(code.as_pool().chunk_count() == arenas);
        for (const auto& each : blocks)
            BOOST_TEST_REQUIRE(code.free(each).has_value());
        BOOST_TEST(code.as_pool().chunk_count() == (go ? 1 : arenas));
        const auto again = code.allocate({.bytes = 700});
        BOOST_TEST(again->write(0, returns(1)).has_value());
        BOOST_TEST(code.as_pool().chunk_count() == (go ? 1 : arenas));
        BOOST_TEST(code.free(*again).has_value());
    }
}

BOOST_AUTO_TEST_CASE(data_is_a_memory_resource) {
    misuse_log log;
    perm_alloc code({.on_misuse = log.policy()});
    auto blocks = code.data();
    pool_resource resource(blocks);
    std::pmr::vector<std::pmr::string> words(&resource);
    for (int i = 0; i != 1000; ++i)
        words.emplace_back("a string that is too long to live inside its object");
    BOOST_TEST(code.find(address_of(words.data())).is_writable());
    const address block = blocks.allocate(100).value();
    for (const std::uint64_t alignment : {0UL, 3UL, 1UL << 63})
        BOOST_TEST((blocks.deallocate(block, 100, alignment).error().code == errc::bad_alignment));
    BOOST_TEST(blocks.deallocate(block, 100).has_value());
    const auto of_code = code_of(code, 1);
    BOOST_TEST(code.free(of_code).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said) {
    misuse_log log;
    perm_alloc code({.on_misuse = log.policy()});
    BOOST_TEST((code.allocate({.bytes = 0}).error().code == errc::zero_size));
    BOOST_TEST((code.allocate({.bytes = 1, .alignment = 3}).error().code == errc::bad_alignment));
    BOOST_TEST((code.allocate({.bytes = ~std::uint64_t{0}}).error().code == errc::too_large));
    BOOST_TEST((code.allocate({.bytes = ~std::uint64_t{0}, .owns_pages = true}).error().code ==
                errc::too_large));
    BOOST_TEST(code.free({}).has_value()); // none
    BOOST_TEST(!perm_alloc::allocation().contains(0));
    BOOST_TEST(!perm_alloc::allocation().is_writable());
    const auto block = code_of(code, 1);
    BOOST_TEST((block.open(0, 65).error().code == errc::past_the_end));
    BOOST_TEST((block.open(64, 1).error().code == errc::past_the_end));
    BOOST_TEST((block.open(0, 0).error().code == errc::zero_size));
    BOOST_TEST((block.write(~std::uint64_t{0}, returns(1)).error().code == errc::past_the_end));
    BOOST_TEST((block.patch(1, std::uint32_t{1}).error().code == errc::bad_alignment));
    BOOST_TEST(code.free(block).has_value());
    BOOST_TEST(!code.free(block).has_value()); // twice
    BOOST_TEST(code.as_pool().misuse_count() == 1u);
}

BOOST_AUTO_TEST_CASE(permissions_are_a_set_that_knows_what_does_not_exist) {
    using namespace palloc::perm;
    static_assert(permissions(R | W) == permissions::read_write);
    static_assert(permissions(X | R) == permissions::read_execute);
    static_assert(permissions(R) == permissions::read);
    static_assert(!std::is_convertible_v<decltype(W), permissions>);
    static_assert(permissions_of(true, true, false) == permissions::read_write);
    static_assert(permissions_of(true, true, true).error().code == errc::bad_argument);
    static_assert(permissions_of(false, false, true).error().code == errc::bad_argument);
    static_assert(permissions_of(false, false, false) == permissions::none);
    for (unsigned set = 0; set != 8; ++set) {
        const auto got = permissions_of((set & 1) != 0, (set & 2) != 0, (set & 4) != 0);
        BOOST_TEST(got.has_value() == (set == 0 || set == 1 || set == 3 || set == 5));
        BOOST_TEST((!got || static_cast<unsigned>(*got) == set));
    }
}

BOOST_AUTO_TEST_CASE(reach_does_not_wrap) {
    static_assert(within_reach_of(0).base == 0);
    static_assert(within_reach_of(~address{0}).contains(range{~address{0} - 100, 100}));
    constexpr range mid = within_reach_of(address{1} << 40);
    BOOST_TEST(mid.contains(address{1} << 40));
    static_assert(mid.contains((address{1} << 40) + (1u << 30)) && mid.bytes < (1ull << 32));
}

BOOST_AUTO_TEST_SUITE_END()
