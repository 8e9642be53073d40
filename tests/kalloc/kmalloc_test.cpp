// SPDX-License-Identifier: MIT
// kmalloc's table, its flags, its reserve and its account, and every failure of its backing.
#include <palloc/backings/failing.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/kalloc/heap_options.hpp>
#include <palloc/kalloc/kmalloc.hpp>
#include <palloc/kalloc/kmalloc_heap.hpp>

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
#include "support/random.hpp"

using namespace palloc;

namespace {

using sizes = std::vector<std::uint64_t>;

/// Looked at when the heap has ended, which reports what is left.
struct flawless : test::misuse_log {
    flawless() = default;
    flawless(const flawless&) = delete;
    flawless& operator=(const flawless&) = delete;
    ~flawless() { BOOST_TEST(seen.empty()); }
};

struct scene {
    flawless mistakes;
    fault_script script;
    basic_kmalloc_heap<failing<native_memory>> heap;

    explicit scene(heap_options options = {})
        : heap(with(options), failing(native_memory(), script)) {}
    heap_options with(heap_options options) {
        options.on_misuse = mistakes.policy();
        return options;
    }
};

bool is_all(std::span<const std::byte> bytes, unsigned char value) {
    return std::ranges::all_of(bytes, [&](std::byte b) { return b == std::byte{value}; });
}

bool lies_at(const std::byte* block, std::uint64_t alignment) {
    return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(kmalloc_)

BOOST_AUTO_TEST_CASE(sizes_are_padded_to_their_alignment) {
    scene it;
    for (const std::uint64_t alignment : sizes{1, 8, 16, 64, 128, 512, 4096, 8192, 1 << 16})
        for (const std::uint64_t bytes :
             sizes{1, 15, 16, 17, 100, 128, 1024, 3000, 8192, 8193, 100000}) {
            const layout wanted{bytes, alignment};
            const auto got = alloc(it.heap, wanted, flags::kernel);
            BOOST_TEST_REQUIRE(got.has_value());
            BOOST_TEST(got->size() == wanted.padded()->bytes);
            BOOST_TEST(lies_at(got->data(), alignment));
            BOOST_TEST(lies_at(got->data(), it.heap.min_align));
            BOOST_TEST(*it.heap.usable_bytes(got->data()) >= got->size());
            BOOST_TEST(it.heap.owns(got->data()));
            std::memset(got->data(), 0x5a, got->size());
            free(it.heap, got->data(), wanted);
        }
}

BOOST_AUTO_TEST_CASE(there_is_an_upper_limit) {
    scene it;
    const auto most = alloc(it.heap, {it.heap.max_bytes, 1}, flags::kernel);
    BOOST_TEST(most->size() == it.heap.max_bytes);
    free(it.heap, most->data(), {it.heap.max_bytes, 1});
    for (const layout& wanted : {layout{it.heap.max_bytes + 1, 1}, layout{it.heap.max_bytes, 2},
                                 layout{~std::uint64_t{0}, 16}, layout{1, it.heap.max_bytes * 2}})
        if (wanted.padded() != wanted)
            BOOST_TEST((alloc(it.heap, wanted, flags::kernel).error().code == errc::too_large));
    BOOST_TEST((alloc(it.heap, {it.heap.max_bytes + 1, 1}, flags::kernel).error().code ==
                errc::too_large));
    BOOST_TEST((alloc(it.heap, {8, 3}, flags::kernel).error().code == errc::bad_alignment));
    BOOST_TEST((alloc(it.heap, {8, 0}, flags::kernel).error().code == errc::bad_alignment));
}

BOOST_AUTO_TEST_CASE(a_block_stays_while_its_class_holds_it_and_never_shrinks) {
    scene it;
    const auto first = *alloc(it.heap, {100, 1}, flags::kernel);
    BOOST_TEST(*it.heap.usable_bytes(first.data()) == 112u);
    std::memset(first.data(), 1, first.size());
    const auto shorter = *it.heap.realloc(first.data(), {3, 1}, {100, 1}, flags::kernel, no_node);
    BOOST_TEST((shorter.data() == first.data() && shorter.size() == 3u));
    const auto longer = *it.heap.realloc(first.data(), {112, 1}, {3, 1}, flags::kernel, no_node);
    BOOST_TEST((longer.data() == first.data() && longer.size() == 112u));
    const auto moved = *it.heap.realloc(first.data(), {113, 1}, {112, 1}, flags::kernel, no_node);
    BOOST_TEST(moved.data() != first.data());
    BOOST_TEST(is_all(moved.first(100), 1));
    const auto back = *it.heap.realloc(moved.data(), {1, 1}, {113, 1}, flags::kernel, no_node);
    BOOST_TEST(back.data() == moved.data()); // and is freed with the layout that it has now
    free(it.heap, back.data(), {1, 1});
    const auto reused = *alloc(it.heap, {128, 1}, flags::kernel);
    BOOST_TEST(reused.data() == back.data());
    free(it.heap, reused.data(), {128, 1});

    const auto large = *alloc(it.heap, {20000, 1}, flags::kernel);
    BOOST_TEST(*it.heap.usable_bytes(large.data()) == 20480u);
    BOOST_TEST(
        it.heap.realloc(large.data(), {20480, 1}, {20000, 1}, flags::kernel, no_node)->data() ==
        large.data());
    BOOST_TEST(it.heap.realloc(large.data(), {7, 1}, {20480, 1}, flags::kernel, no_node)->data() ==
               large.data());
    free(it.heap, large.data(), {7, 1});
}

BOOST_AUTO_TEST_CASE(shrinking_moves_to_a_smaller_class) {
    scene it;
    auto block = *alloc(it.heap, {100000, 1}, flags::kernel);
    std::memset(block.data(), 7, block.size());
    std::uint64_t bytes = 100000;
    for (const std::uint64_t less : sizes{99999, 5000, 4999, 100, 17, 16, 1}) {
        block = *it.heap.shrink(block.data(), {less, 1}, {bytes, 1}, flags::kernel);
        BOOST_TEST(is_all(block, 7));
        BOOST_TEST(*it.heap.usable_bytes(block.data()) <=
                   less + less / 4 + (less > 8192 ? 4096u : 15u));
        bytes = less;
    }
    const auto none = it.heap.shrink(block.data(), {0, 64}, {bytes, 1}, flags::kernel);
    BOOST_TEST((none->empty() && none->data() == dangling(64)));
}

BOOST_AUTO_TEST_CASE(a_block_moves_where_it_is_not_aligned) {
    scene it;
    std::vector<std::byte*> held;
    std::byte* crooked = nullptr;
    while (crooked == nullptr) {
        held.push_back(alloc(it.heap, {48, 1}, flags::kernel)->data());
        if (!lies_at(held.back(), 64))
            crooked = held.back();
    }
    std::memset(crooked, 9, 48);
    held.pop_back();
    const auto straight = *it.heap.realloc(crooked, {48, 64}, {48, 1}, flags::kernel, no_node);
    BOOST_TEST((lies_at(straight.data(), 64) && straight.size() == 64u));
    BOOST_TEST(is_all(straight.first(48), 9));
    free(it.heap, straight.data(), {48, 64});
    for (auto* const each : held)
        free(it.heap, each, {48, 1});
}

BOOST_AUTO_TEST_CASE(zero_zeroes_what_is_new_whatever_was_said_before) {
    scene it;
    test::random_source random(2);
    BOOST_TEST_CONTEXT(random) {
        for (int round = 0; round != 300; ++round) {
            std::uint64_t bytes = random.between(1, 9000);
            auto block = *alloc(it.heap, {bytes, 1}, flags::kernel);
            std::memset(block.data(), 0xee, block.size()); // dirty from the beginning
            for (int step = 0; step != 6; ++step) {
                const std::uint64_t next = random.between(1, 9000);
                block = *it.heap.realloc(block.data(), {next, 1}, {bytes, 1},
                                         flags::kernel | flags::zero, no_node);
                BOOST_TEST(
                    is_all(block.first(static_cast<std::size_t>(std::min(bytes, next))), 0xee));
                BOOST_TEST(
                    is_all(block.subspan(static_cast<std::size_t>(std::min(bytes, next))), 0));
                std::memset(block.data(), 0xee, block.size());
                bytes = next;
            }
            free(it.heap, block.data(), {bytes, 1});
        }
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_dangling_and_aligned) {
    scene it;
    for (const std::uint64_t alignment : sizes{1, 16, 4096}) {
        const auto none = alloc(it.heap, {0, alignment}, flags::nowait);
        BOOST_TEST((none->empty() && none->data() == dangling(alignment)));
        free(it.heap, none->data(), {0, alignment});
        const auto block =
            it.heap.realloc(nullptr, {32, alignment}, {0, 1}, flags::kernel, no_node);
        const auto gone =
            it.heap.realloc(block->data(), {0, alignment}, {32, alignment}, {}, no_node);
        BOOST_TEST((gone->empty() && gone->data() == dangling(alignment)));
    }
}

BOOST_AUTO_TEST_CASE(without_may_block_nothing_is_mapped) {
    scene it;
    BOOST_TEST((alloc(it.heap, {16, 1}, flags::atomic).error().code == errc::out_of_memory));
    BOOST_TEST(it.script.calls(backing_call::map) == 0u);
    const auto first = *alloc(it.heap, {16, 1}, flags::kernel);
    BOOST_TEST(it.script.calls(backing_call::map) == 1u);
    // From slabs that are there, and new ones in what is mapped.
    std::vector<std::byte*> held;
    std::uint64_t in_use = 0;
    const std::uint64_t mapped = it.heap.mapped_bytes();
    for (;;) {
        const auto more = alloc(it.heap, {4000, 1}, flags::nowait);
        if (!more) {
            BOOST_TEST((more.error().code == errc::out_of_memory));
            break;
        }
        held.push_back(more->data());
        in_use += 4096;
    }
    BOOST_TEST(in_use >= std::uint64_t{1} << 20); // as far as the books go that are there
    BOOST_TEST((it.script.calls(backing_call::map) == 1u && it.heap.mapped_bytes() == mapped));
    for (auto* const each : held)
        free(it.heap, each, {4000, 1});
    free(it.heap, first.data(), {16, 1});
}

BOOST_AUTO_TEST_CASE(the_reserve_is_for_those_who_may) {
    scene it({.step_bytes = 1 << 20, .cap_bytes = 1 << 20, .reserve_bytes = 1 << 18});
    std::vector<std::byte*> held;
    const layout wanted{2048, 1};
    while (const auto got = alloc(it.heap, wanted, flags::kernel | flags::no_warn))
        held.push_back(got->data());
    BOOST_TEST(held.size() > 400u);
    BOOST_TEST((alloc(it.heap, wanted, flags::kernel).error().code == errc::over_limit));
    BOOST_TEST(!alloc(it.heap, wanted, flags::nowait).has_value());
    std::size_t from_reserve = 0;
    while (const auto got = alloc(it.heap, wanted, flags::atomic)) {
        held.push_back(got->data());
        ++from_reserve;
    }
    BOOST_TEST(from_reserve >= 100u);
    const auto large = alloc(it.heap, {8200, 1}, flags::atomic);
    BOOST_TEST(!large.has_value());
    for (auto* const each : held)
        free(it.heap, each, wanted);
    const auto again = alloc(it.heap, {100000, 1}, flags::atomic);
    BOOST_TEST(again.has_value());
    free(it.heap, again->data(), {100000, 1});
}

BOOST_AUTO_TEST_CASE(an_account_has_a_limit_of_its_own) {
    scene it({.step_bytes = 1 << 16, .account_cap_bytes = 1 << 16});
    std::vector<std::byte*> charged;
    const layout wanted{4096, 1};
    while (const auto got = alloc(it.heap, wanted, flags::kernel_account))
        charged.push_back(got->data());
    BOOST_TEST((charged.size() >= 8u && charged.size() <= 16u));
    BOOST_TEST(it.heap.account_bytes() == std::uint64_t{1 << 16});
    const auto free_of_charge = alloc(it.heap, wanted, flags::kernel);
    BOOST_TEST(free_of_charge.has_value());
    free(it.heap, free_of_charge->data(), wanted);
    for (auto* const each : charged)
        free(it.heap, each, wanted);
    const auto again = alloc(it.heap, wanted, flags::kernel_account);
    BOOST_TEST(again.has_value());
    free(it.heap, again->data(), wanted);
}

BOOST_AUTO_TEST_CASE(failures_are_told_unless_no_warn) {
    std::vector<failed_request> told;
    scene it({.on_failure = {[](void* log, const failed_request& one) noexcept {
                                 static_cast<std::vector<failed_request>*>(log)->push_back(one);
                             },
                             &told}});
    const layout huge{std::uint64_t{1} << 40, 1};
    BOOST_TEST(!alloc(it.heap, huge, flags::kernel | flags::no_warn).has_value());
    BOOST_TEST((told.empty() && it.heap.failures() == 1u));
    BOOST_TEST(!alloc(it.heap, huge, flags::kernel).has_value());
    BOOST_TEST_REQUIRE(told.size() == 1u);
    BOOST_TEST((told[0].why.code == errc::too_large && told[0].wanted == huge &&
                told[0].flags == flags::kernel));
}

BOOST_AUTO_TEST_CASE(mistakes_are_reported_and_change_nothing) {
    scene it;
    const auto block = *alloc(it.heap, {40, 1}, flags::kernel);
    std::byte outside{};
    free(it.heap, &outside, {1, 1});
    BOOST_TEST((it.mistakes.seen.back().what == errc::not_ours));
    free(it.heap, block.data(), {100, 1});
    BOOST_TEST((it.mistakes.seen.back().what == errc::wrong_size));
    BOOST_TEST(
        (it.heap.realloc(block.data(), {200, 1}, {100, 1}, flags::kernel, no_node).error().code ==
         errc::wrong_size));
    const auto large = *alloc(it.heap, {10000, 1}, flags::kernel);
    free(it.heap, large.data() + 16, {10000, 1});
    BOOST_TEST((it.mistakes.seen.back().what == errc::not_a_block));
    BOOST_TEST(it.mistakes.seen.size() == 4u);
    it.mistakes.seen.clear();
    free(it.heap, large.data(), {10000, 1});
    free(it.heap, block.data(), {40, 1});
}

BOOST_AUTO_TEST_CASE(nodes_are_checked) {
    scene it;
    BOOST_TEST((numa_node::make(-1).error().code == errc::bad_argument));
    BOOST_TEST((numa_node::make(numa_node::limit).error().code == errc::bad_argument));
    BOOST_TEST(numa_node::make(0)->number == 0);
    BOOST_TEST(
        (alloc(it.heap, {8, 1}, flags::kernel, numa_node{-7}).error().code == errc::bad_argument));
    BOOST_TEST((alloc(it.heap, {8, 1}, flags::kernel, numa_node{1 << 20}).error().code ==
                errc::bad_argument));
}

BOOST_AUTO_TEST_CASE(whatever_fails_beneath_nothing_is_lost) {
    for (std::uint64_t n = 1;; ++n) {
        scene it({.step_bytes = 1 << 16});
        it.script.fail_nth(backing_call::any, n);
        std::size_t failed = 0;
        std::vector<std::pair<std::byte*, layout>> held;
        for (const std::uint64_t bytes : sizes{16, 100, 5000, 70000, 9000, 300000}) {
            const layout wanted{bytes, 8};
            const auto got = alloc(it.heap, wanted, flags::kernel);
            failed += got.has_value() ? 0U : 1U;
            if (!got)
                continue;
            std::memset(got->data(), 3, static_cast<std::size_t>(bytes));
            const layout more{bytes * 2, 8};
            const auto moved = it.heap.realloc(got->data(), more, wanted, flags::kernel, no_node);
            failed += moved.has_value() ? 0U : 1U;
            BOOST_TEST(is_all((moved ? *moved : *got).first(static_cast<std::size_t>(bytes)), 3));
            held.emplace_back(moved ? moved->data() : got->data(), moved ? more : wanted);
        }
        for (const auto& [block, of] : held)
            free(it.heap, block, of);
        if (failed == 0 && it.script.calls(backing_call::any) < n)
            break;
    }
}

BOOST_AUTO_TEST_CASE(through_magazines_it_is_the_same) {
    scene it;
    test::random_source random(5);
    auto* const mine = *it.heap.make_magazines();
    std::vector<std::pair<std::span<std::byte>, layout>> held;
    const auto through = [&](std::byte* old, const layout& wanted, const layout& of,
                             alloc_flags how) {
        return it.heap.realloc_through(mine, old, wanted, of, how, no_node);
    };
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step != 5000; ++step) {
            const layout wanted{random.between(0, random.chance(5) ? 30'000 : 3000),
                                std::uint64_t{1} << random.below(8)};
            const alloc_flags how = random.chance(50) ? flags::kernel : flags::kernel | flags::zero;
            if (held.size() < 50) {
                const auto got = through(nullptr, wanted, {0, 1}, how);
                BOOST_TEST(got->size() == wanted.padded()->bytes);
                BOOST_TEST(lies_at(got->data(), wanted.alignment));
                if (how != flags::kernel)
                    BOOST_TEST(is_all(*got, 0));
                std::memset(got->data(), 0x77, got->size());
                held.emplace_back(*got, wanted);
                continue;
            }
            auto& [block, of] = held[random.below(held.size())];
            const auto kept = std::min(of.bytes, wanted.bytes);
            BOOST_TEST(is_all(block, 0x77));
            const auto next = through(block.data(), wanted, of, how);
            BOOST_TEST(is_all(next->first(static_cast<std::size_t>(kept)), 0x77));
            if (how != flags::kernel && wanted.bytes > of.bytes)
                BOOST_TEST(is_all(next->subspan(static_cast<std::size_t>(kept)), 0));
            std::memset(next->data(), 0x77, next->size());
            block = *next;
            of = wanted;
        }
        std::byte outside{};
        (void)through(&outside, {0, 1}, {8, 1}, {});
        BOOST_TEST((it.mistakes.seen.size() == 1u && it.mistakes.seen[0].what == errc::not_ours));
        it.mistakes.seen.clear();
        for (const auto& [block, of] : held)
            (void)through(block.data(), {0, 1}, of, {});
    }
    it.heap.end_magazines(mine);
}

BOOST_AUTO_TEST_CASE(the_process_has_one) {
    kmalloc it;
    static_assert(std::is_empty_v<kmalloc>);
    const auto block = alloc(it, {1024, 128}, flags::kernel); // the kernel's test_alignment
    BOOST_TEST((lies_at(block->data(), 128) && kmalloc::heap().owns(block->data())));
    const auto pages = alloc(it, {4 * 4096, 8192}, flags::kernel);
    BOOST_TEST(lies_at(pages->data(), 8192));
    free(it, pages->data(), {4 * 4096, 8192});
    free(it, block->data(), {1024, 128});
}

BOOST_AUTO_TEST_SUITE_END()
