// SPDX-License-Identifier: MIT
// vmalloc's table over real address space, and every failure of its backing.
#include <palloc/backings/failing.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/kalloc/node_placement.hpp>
#include <palloc/kalloc/vmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/misuse_log.hpp"
#include "support/page_probe.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t page = 4096;

struct scene {
    test::misuse_log mistakes;
    fault_script script;
    basic_vmalloc_heap<failing<native_addresses>> heap;

    explicit scene(heap_options options = {.step_bytes = std::uint64_t{1} << 30})
        : heap(with(options), failing(native_addresses(), script)) {}
    heap_options with(heap_options options) {
        options.on_misuse = mistakes.policy();
        return options;
    }
    ~scene() {
        BOOST_TEST(heap.used_bytes() == 0u);
        BOOST_TEST(mistakes.seen.empty());
    }
    std::span<std::byte> block(std::uint64_t bytes) {
        const auto got = alloc(heap, {bytes, 1}, flags::kernel);
        BOOST_TEST_REQUIRE(got.has_value());
        return *got;
    }
    result<std::span<std::byte>> to(std::span<std::byte> old, std::uint64_t bytes,
                                    alloc_flags how = flags::kernel) {
        return heap.realloc(old.data(), {bytes, 1}, {old.size(), 1}, how, no_node);
    }
    void drop(std::span<std::byte> old) { free(heap, old.data(), {old.size(), 1}); }
};

bool is_all(std::span<const std::byte> bytes, unsigned char value) {
    return std::ranges::all_of(bytes, [&](std::byte b) { return b == std::byte{value}; });
}

bool is_readable(const std::byte* place) {
    return test::page_probe().readable(address_of(place));
}

} // namespace

BOOST_AUTO_TEST_SUITE(vmalloc_)

BOOST_AUTO_TEST_CASE(blocks_are_whole_pages_zeroed_and_as_long_as_asked) {
    scene it;
    for (const std::uint64_t alignment : std::vector<std::uint64_t>{1, 4096, 8192, 1 << 21})
        for (const std::uint64_t bytes : std::vector<std::uint64_t>{1, 4095, 4096, 4097, 100000}) {
            const auto got = alloc(it.heap, {bytes, alignment}, flags::kernel);
            BOOST_TEST(got->size() == bytes);
            BOOST_TEST(reinterpret_cast<std::uintptr_t>(got->data()) % std::max(alignment, page) ==
                       0u);
            BOOST_TEST(is_all(*got, 0));
            BOOST_TEST(*it.heap.usable_bytes(got->data()) == (bytes + page - 1) / page * page);
            std::memset(got->data(), 0xee, static_cast<std::size_t>(bytes));
            free(it.heap, got->data(), {bytes, alignment});
        }
    BOOST_TEST((alloc(it.heap, {1, 3}, flags::kernel).error().code == errc::bad_alignment));
    BOOST_TEST(
        (alloc(it.heap, {~std::uint64_t{0}, 1}, flags::kernel).error().code == errc::too_large));
}

BOOST_AUTO_TEST_CASE(a_block_grows_and_shrinks_where_it_is) {
    scene it;
    auto block = it.block(3 * page);
    std::memset(block.data(), 5, block.size());
    const auto commits = it.script.calls(backing_call::commit);
    auto* const place = block.data();
    block = *it.to(block, 2 * page + 1); // within the pages
    BOOST_TEST(block.data() == place);
    block = *it.to(block, 3 * page);
    BOOST_TEST((block.data() == place && it.script.calls(backing_call::commit) == commits));
    block = *it.to(block, 1000 * page);
    BOOST_TEST((block.data() == place && it.script.calls(backing_call::commit) == commits + 1));
    BOOST_TEST((is_all(block.first(2 * page + 1), 5) && is_all(block.subspan(3 * page), 0)));
    block = *it.to(block, 10);
    BOOST_TEST((block.data() == place && it.heap.used_bytes() == page));
    BOOST_TEST(!is_readable(place + page)); // given back at once
    BOOST_TEST(it.script.calls(backing_call::move_pages) == 0u);
    it.drop(block);
    BOOST_TEST(!is_readable(place));
}

BOOST_AUTO_TEST_CASE(a_block_that_cannot_grow_where_it_is_moves_by_its_pages) {
    scene it;
    auto block = it.block(8 * page);
    auto wall = it.block(page);
    std::memset(block.data(), 6, block.size());
    auto* const place = block.data();
    block = *it.to(block, 64 * page);
    BOOST_TEST((block.data() != place && it.script.calls(backing_call::move_pages) == 1u));
    BOOST_TEST((is_all(block.first(8 * page), 6) && is_all(block.subspan(8 * page), 0)));
    BOOST_TEST(!is_readable(place));
    it.drop(block);
    it.drop(wall);
}

BOOST_AUTO_TEST_CASE(a_block_moves_where_it_is_not_aligned) {
    scene it;
    auto first = it.block(page);
    auto block = it.block(4 * page);
    std::memset(block.data(), 7, block.size());
    const std::uint64_t alignment = std::uint64_t{1} << 20;
    const auto moved = it.heap.realloc(block.data(), {2 * page, alignment}, {block.size(), 1},
                                       flags::kernel, no_node);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(moved->data()) % alignment == 0u);
    BOOST_TEST(is_all(*moved, 7));
    free(it.heap, moved->data(), {2 * page, alignment});
    it.drop(first);
}

BOOST_AUTO_TEST_CASE(whatever_happens_contents_and_zeroes_are_right) {
    scene it;
    test::random_source random(3);
    struct held {
        std::span<std::byte> block;
        unsigned char mark;
    };
    std::vector<held> all;
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step != 2000; ++step) {
            const std::uint64_t bytes = random.between(1, 20 * page);
            if (all.size() < 8) {
                all.push_back({it.block(bytes), static_cast<unsigned char>(step % 250 + 1)});
                std::memset(all.back().block.data(), all.back().mark,
                            static_cast<std::size_t>(bytes));
                continue;
            }
            auto& one = all[random.below(all.size())];
            if (random.chance(10)) {
                BOOST_TEST(is_all(one.block, one.mark));
                it.drop(one.block);
                std::swap(one, all.back());
                all.pop_back();
                continue;
            }
            const std::uint64_t kept = std::min<std::uint64_t>(bytes, one.block.size());
            one.block = *it.to(one.block, bytes, flags::kernel | flags::zero);
            BOOST_TEST(is_all(one.block.first(static_cast<std::size_t>(kept)), one.mark));
            BOOST_TEST(is_all(one.block.subspan(static_cast<std::size_t>(kept)), 0));
            std::memset(one.block.data(), one.mark, static_cast<std::size_t>(bytes));
        }
        for (auto& one : all)
            it.drop(one.block);
    }
    BOOST_TEST(it.script.calls(backing_call::move_pages) > 10u);
}

BOOST_AUTO_TEST_CASE(pages_that_are_not_taken_back_are_zero_all_the_same) {
    scene it;
    auto block = it.block(4 * page);
    auto* const place = block.data();
    std::memset(place, 8, block.size());
    it.script.fail_nth(backing_call::decommit, 1);
    block = *it.to(block, page); // three pages keep what they held
    const auto next = it.block(page);
    BOOST_TEST((next.data() == place + page && is_all(next, 0)));
    it.drop(next);
    block = *it.to(block, 4 * page);
    BOOST_TEST((block.data() == place && is_all(block.first(page), 8)));
    BOOST_TEST(is_all(block.subspan(page), 0));
    it.drop(block);
}

BOOST_AUTO_TEST_CASE(without_may_block_only_what_needs_no_pages) {
    scene it;
    BOOST_TEST((alloc(it.heap, {1, 1}, flags::atomic).error().code == errc::out_of_memory));
    auto block = it.block(page);
    BOOST_TEST((it.to(block, page + 1, flags::nowait).error().code == errc::out_of_memory));
    block = *it.to(block, 7, flags::atomic);
    block = *it.to(block, page, flags::atomic | flags::zero);
    it.drop(block);
}

BOOST_AUTO_TEST_CASE(nodes_are_wishes) {
    scene it;
    BOOST_TEST(
        (alloc(it.heap, {1, 1}, flags::kernel, numa_node{-3}).error().code == errc::bad_argument));
    BOOST_TEST(!it.heap.placement().is_used());
    const auto here = alloc(it.heap, {page, 1}, flags::kernel, numa_node{0});
    BOOST_TEST_REQUIRE(here.has_value());
    BOOST_TEST(it.heap.placement().wishes() == 1u);
    const auto nowhere = alloc(it.heap, {page, 1}, flags::kernel, numa_node{1023});
    BOOST_TEST_REQUIRE(nowhere.has_value()); // from anywhere, and that is said
    BOOST_TEST(it.heap.placement().unmet() >= 1u);
    const errc why = it.heap.placement().last_error().code; // or nobody may choose a node here
    BOOST_TEST((why == errc::os_failure || why == errc::not_supported));
    std::memset(nowhere->data(), 1, page);
    free(it.heap, nowhere->data(), {page, 1});
    free(it.heap, here->data(), {page, 1});
}

BOOST_AUTO_TEST_CASE(whatever_fails_beneath_the_old_block_stays) {
    for (std::uint64_t n = 1;; ++n) {
        scene it;
        it.script.fail_nth(backing_call::any, n);
        std::vector<std::span<std::byte>> held;
        std::size_t failed = 0;
        for (const std::uint64_t pages : std::vector<std::uint64_t>{4, 1, 9}) {
            const auto got = alloc(it.heap, {pages * page, 1}, flags::kernel);
            failed += got.has_value() ? 0U : 1U;
            if (got)
                held.push_back(*got);
        }
        for (auto& block : held) {
            std::memset(block.data(), 4, block.size());
            const auto kept = block.size();
            if (const auto moved = it.to(block, 20 * page))
                block = *moved;
            else
                ++failed;
            BOOST_TEST(is_all(block.first(kept), 4));
            if (const auto less = it.to(block, 2))
                block = *less;
        }
        for (const auto& block : held)
            it.drop(block);
        if (failed == 0 && it.script.calls(backing_call::any) < n)
            break;
    }
}

BOOST_AUTO_TEST_CASE(mistakes_are_reported) {
    scene it;
    auto block = it.block(2 * page);
    free(it.heap, block.data(), {page, 1});
    BOOST_TEST((it.mistakes.seen.back().what == errc::wrong_size));
    BOOST_TEST((it.heap.realloc(block.data() + 1, {page, 8192}, {page, 1}, flags::kernel, no_node)
                    .error()
                    .code == errc::not_a_block));
    it.mistakes.seen.clear();
    it.drop(block);
}

BOOST_AUTO_TEST_CASE(the_process_has_one) {
    static_assert(std::is_empty_v<vmalloc>);
    vmalloc it;
    const auto block = alloc(it, {1024, 128}, flags::kernel); // the kernel's test_alignment
    BOOST_TEST(vmalloc::owns(block->data()));
    const auto pages = alloc(it, {4 * 4096, 8192}, flags::kernel);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(pages->data()) % 8192 == 0u);
    free(it, pages->data(), {4 * 4096, 8192});
    free(it, block->data(), {1024, 128});
}

BOOST_AUTO_TEST_CASE(failures_are_told_unless_no_warn_is_said) {
    std::vector<failed_request> told;
    vmalloc_heap heap({.step_bytes = 1 << 20,
                       .cap_bytes = 1 << 20,
                       .on_failure = {[](void* log, const failed_request& one) noexcept {
                                          static_cast<std::vector<failed_request>*>(log)->push_back(
                                              one);
                                      },
                                      &told}});
    const layout small{100, 1};
    const layout huge{2 << 20, 1};
    const auto block = *alloc(heap, small, flags::kernel);
    const auto quiet = flags::kernel | flags::no_warn;
    BOOST_TEST(!alloc(heap, huge, quiet).has_value());
    BOOST_TEST(!heap.realloc(block.data(), huge, small, quiet, no_node).has_value());
    BOOST_TEST((told.empty() && heap.failures() == 2u));
    BOOST_TEST(!alloc(heap, huge, flags::kernel).has_value());
    BOOST_TEST(!heap.realloc(block.data(), huge, small, flags::kernel, no_node).has_value());
    BOOST_TEST_REQUIRE((told.size() == 2u && heap.failures() == 4u));
    for (const failed_request& each : told)
        BOOST_TEST((each.wanted == huge && each.flags == flags::kernel));
    free(heap, block.data(), small);
}

BOOST_AUTO_TEST_SUITE_END()
