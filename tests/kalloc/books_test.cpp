// SPDX-License-Identifier: MIT
// Heaps whose books fail, one call after the other: nothing is lost, and all is given back.
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/heap_options.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "support/counted_metadata.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

bool is_all(std::span<const std::byte> bytes, int value) {
    return bytes.empty() || (bytes[0] == std::byte(value) &&
                             std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// Blocks come, grow and go. Answers how many calls failed.
template <class Realloc>
std::size_t live(Realloc&& realloc) {
    std::size_t failed = 0;
    std::vector<std::pair<std::span<std::byte>, layout>> held;
    for (const std::size_t bytes :
         std::vector<std::size_t>{16, 100, 5000, 9000, 70'000, 300'000, 2000, 6000}) {
        const layout wanted{bytes, 8};
        const auto got = realloc(nullptr, wanted, layout{0, 1});
        if (!got) {
            ++failed;
            continue;
        }
        std::memset(got->data(), 3, bytes);
        const layout more{3 * bytes, 8};
        const auto moved = realloc(got->data(), more, wanted);
        failed += moved ? 0U : 1U;
        BOOST_TEST(is_all((moved ? *moved : *got).first(bytes), 3));
        held.emplace_back(moved ? *moved : *got, moved ? more : wanted);
    }
    for (const auto& [block, of] : held)
        (void)realloc(block.data(), layout{0, 1}, of);
    return failed;
}

} // namespace

BOOST_AUTO_TEST_SUITE(books)

BOOST_AUTO_TEST_CASE(kmalloc_minds_every_failure_and_loses_nothing) {
    std::size_t failed = 0;
    std::uint64_t n = 1;
    for (;; ++n) {
        test::counted_metadata memory;
        test::misuse_log mistakes;
        memory.fail_nth(n);
        {
            kmalloc_heap heap({.step_bytes = 1 << 16,
                               .reserve_bytes = 1 << 16,
                               .on_misuse = mistakes.policy(),
                               .metadata = memory});
            auto* const mine = heap.make_magazines().value_or(nullptr);
            failed += mine == nullptr ? 1U : 0U;
            const auto through = [&](kmalloc_heap::magazines* kept, alloc_flags how, numa_node on) {
                return live(
                    [&, kept, how, on](std::byte* old, const layout& wanted, const layout& of) {
                        return heap.realloc_through(kept, old, wanted, of, how, on);
                    });
            };
            failed += through(mine, flags::kernel, no_node);
            failed += through(nullptr, flags::kernel_account, numa_node{0});
            if (!heap.fill_reserve())
                ++failed;
            const auto urgent = alloc(heap, {100, 1}, flags::atomic);
            if (urgent)
                free(heap, urgent->data(), {100, 1});
            if (mine != nullptr)
                heap.end_magazines(mine);
        }
        BOOST_TEST(mistakes.seen.empty());
        BOOST_TEST(memory.pieces_out() == 0u);
        if (memory.calls() < n)
            break;
    }
    BOOST_TEST(n > 3u); // there were calls that could fail
    BOOST_TEST(failed > 0u);
}

BOOST_AUTO_TEST_CASE(a_reserve_that_could_not_be_filled_is_filled_later) {
    test::counted_metadata memory;
    memory.fail_nth(1);
    kmalloc_heap heap({.reserve_bytes = 1 << 16, .metadata = memory});
    BOOST_TEST((alloc(heap, {100, 1}, flags::atomic).error().code == errc::out_of_memory));
    BOOST_TEST(heap.fill_reserve().has_value());
    const auto urgent = alloc(heap, {100, 1}, flags::atomic);
    BOOST_TEST_REQUIRE(urgent.has_value());
    free(heap, urgent->data(), {100, 1});
}

BOOST_AUTO_TEST_CASE(so_does_vmalloc) {
    std::size_t failed = 0;
    std::uint64_t n = 1;
    for (;; ++n) {
        test::counted_metadata memory;
        test::misuse_log mistakes;
        memory.fail_nth(n);
        {
            vmalloc_heap heap(
                {.step_bytes = 1 << 20, .on_misuse = mistakes.policy(), .metadata = memory});
            for (const alloc_flags how : {flags::kernel, flags::kernel_account})
                failed += live([&](std::byte* old, const layout& wanted, const layout& of) {
                    return heap.realloc(old, wanted, of, how, no_node);
                });
            BOOST_TEST((heap.used_bytes() == 0u && heap.account_bytes() == 0u));
        }
        BOOST_TEST(mistakes.seen.empty());
        BOOST_TEST(memory.pieces_out() == 0u);
        if (memory.calls() < n)
            break;
    }
    BOOST_TEST(n > 2u);
    BOOST_TEST(failed > 0u);
}

BOOST_AUTO_TEST_SUITE_END()
