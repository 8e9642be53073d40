// SPDX-License-Identifier: MIT
// kvmalloc's table: who serves what, and who keeps it.
#include <palloc/backings/failing.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/kvmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "support/misuse_log.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t page = 4096;

using small_heap = basic_kmalloc_heap<failing<native_memory>>;
using large_heap = basic_vmalloc_heap<failing<native_addresses>>;
using both = kv_allocator<allocator_ref<small_heap>, owner_ref<large_heap>>;

struct scene {
    test::misuse_log mistakes;
    fault_script small_script;
    fault_script large_script;
    small_heap small;
    large_heap large;
    both heap{small, large};

    explicit scene(std::uint64_t cap_bytes = std::uint64_t{8} << 20)
        : small({.step_bytes = 1 << 16, .cap_bytes = cap_bytes, .on_misuse = mistakes.policy()},
                failing(native_memory(), small_script)),
          large({.step_bytes = std::uint64_t{1} << 30, .on_misuse = mistakes.policy()},
                failing(native_addresses(), large_script)) {}
    ~scene() {
        BOOST_TEST(large.used_bytes() == 0u);
        BOOST_TEST(mistakes.seen.empty());
    }
};

bool is_all(std::span<const std::byte> bytes, unsigned char value) {
    return std::ranges::all_of(bytes, [&](std::byte b) { return b == std::byte{value}; });
}

} // namespace

BOOST_AUTO_TEST_SUITE(kvmalloc_)

BOOST_AUTO_TEST_CASE(first_the_one_then_the_other) {
    scene it;
    for (const std::uint64_t bytes :
         std::vector<std::uint64_t>{1, 100, page, 10 * page, small_heap::max_bytes}) {
        const auto got = alloc(it.heap, {bytes, 32}, flags::kernel);
        BOOST_TEST(got->size() == (bytes + 31) / 32 * 32);
        BOOST_TEST((it.small.owns(got->data()) && !it.heap.is_large(got->data())));
        free(it.heap, got->data(), {bytes, 32});
    }
    // The kernel's doctest: what is too large for kmalloc is kvmalloc's.
    const layout more{small_heap::max_bytes + 1, 32};
    BOOST_TEST(!alloc(it.small, more, flags::kernel).has_value());
    const auto got = alloc(it.heap, more, flags::kernel);
    BOOST_TEST((it.heap.is_large(got->data()) && got->size() == more.bytes + 31));
    free(it.heap, got->data(), more);
}

BOOST_AUTO_TEST_CASE(what_is_no_more_than_a_page_or_may_not_block_does_not_fall_back) {
    scene it(0); // so that the first has nothing
    BOOST_TEST((alloc(it.heap, {page, 1}, flags::kernel).error().code == errc::over_limit));
    const auto got = alloc(it.heap, {page + 1, 1}, flags::kernel);
    BOOST_TEST(it.heap.is_large(got->data()));
    free(it.heap, got->data(), {page + 1, 1});
    const layout huge{small_heap::max_bytes * 2, 1};
    BOOST_TEST((alloc(it.heap, huge, flags::nowait).error().code == errc::too_large));
    BOOST_TEST((alloc(it.heap, huge, flags::atomic).error().code == errc::too_large));
    BOOST_TEST((alloc(it.heap, {8, 5}, flags::kernel).error().code == errc::bad_alignment));
}

BOOST_AUTO_TEST_CASE(a_block_goes_over_once_and_never_back) {
    scene it;
    auto block = *alloc(it.heap, {small_heap::max_bytes, 1}, flags::kernel);
    std::memset(block.data(), 9, block.size());
    std::uint64_t bytes = small_heap::max_bytes;
    const auto to = [&](std::uint64_t next) {
        block = *it.heap.realloc(block.data(), {next, 1}, {bytes, 1}, flags::kernel, no_node);
        bytes = next;
    };
    to(bytes - 10);
    BOOST_TEST(!it.heap.is_large(block.data()));
    to(small_heap::max_bytes + 10);
    BOOST_TEST((it.heap.is_large(block.data()) &&
                is_all(block.first(static_cast<std::size_t>(bytes - 20)), 9)));
    to(5);
    BOOST_TEST((it.heap.is_large(block.data()) && is_all(block, 9)));
    BOOST_TEST(it.large.used_bytes() == page);
    to(16);
    BOOST_TEST(it.heap.is_large(block.data()));
    block = *it.heap.shrink(block.data(), {1, 1}, {16, 1}, flags::kernel);
    BOOST_TEST(it.heap.is_large(block.data()));
    free(it.heap, block.data(), {1, 1});
    auto small = *alloc(it.heap, {2000, 1}, flags::kernel);
    small = *it.heap.shrink(small.data(), {20, 1}, {2000, 1}, flags::kernel);
    BOOST_TEST(*it.small.usable_bytes(small.data()) == 32u);
    free(it.heap, small.data(), {20, 1});
}

BOOST_AUTO_TEST_CASE(contents_and_zeroes_are_right_wherever_it_goes) {
    scene it(std::uint64_t{1} << 20); // so that the first fails now and then
    test::random_source random(4);
    struct held {
        std::span<std::byte> block;
        layout of;
        unsigned char mark;
    };
    std::vector<held> all;
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step != 1500; ++step) {
            const layout wanted{random.between(1, random.chance(30) ? 40 * page : 3000),
                                std::uint64_t{1} << random.below(14)};
            if (all.size() < 12) {
                const auto got = alloc(it.heap, wanted, flags::kernel);
                if (got) {
                    all.push_back({*got, wanted, static_cast<unsigned char>(step % 250 + 1)});
                    std::memset(got->data(), all.back().mark, got->size());
                }
                continue;
            }
            auto& one = all[random.below(all.size())];
            const auto kept = std::min(wanted.bytes, one.of.bytes);
            const auto next = it.heap.realloc(one.block.data(), wanted, one.of,
                                              flags::kernel | flags::zero, no_node);
            if (next) {
                one.block = *next;
                one.of = wanted;
                BOOST_TEST(reinterpret_cast<std::uintptr_t>(next->data()) % wanted.alignment == 0u);
                BOOST_TEST(is_all(next->first(static_cast<std::size_t>(kept)), one.mark));
                BOOST_TEST(is_all(next->first(static_cast<std::size_t>(wanted.bytes))
                                      .subspan(static_cast<std::size_t>(kept)),
                                  0));
                std::memset(next->data(), one.mark, next->size());
            }
            BOOST_TEST(is_all(one.block.first(static_cast<std::size_t>(one.of.bytes)), one.mark));
            if (random.chance(20)) {
                free(it.heap, one.block.data(), one.of);
                one = all.back();
                all.pop_back();
            }
        }
        for (auto& one : all)
            free(it.heap, one.block.data(), one.of);
    }
}

BOOST_AUTO_TEST_CASE(where_both_fail_the_block_stays) {
    scene it;
    const auto block = *alloc(it.heap, {small_heap::max_bytes, 1}, flags::kernel);
    std::memset(block.data(), 2, block.size());
    it.large_script.fail_nth(backing_call::commit, 1);
    const auto next = it.heap.realloc(block.data(), {small_heap::max_bytes * 2, 1},
                                      {block.size(), 1}, flags::kernel, no_node);
    BOOST_TEST((next.error().code == errc::os_failure && is_all(block, 2)));
    free(it.heap, block.data(), {block.size(), 1});
}

BOOST_AUTO_TEST_CASE(the_process_has_one) {
    kvmalloc it;
    static_assert(sizeof(kvbox<int>) == sizeof(void*));
    static_assert(sizeof(kvvec<int>) == 3 * sizeof(void*));
    const auto block = alloc(it, {1024, 128}, flags::kernel); // the kernel's test_alignment
    BOOST_TEST(kmalloc::heap().owns(block->data()));
    free(it, block->data(), {1024, 128});
    const auto pages = alloc(it, {4 * 4096, 8192}, flags::kernel);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(pages->data()) % 8192 == 0u);
    free(it, pages->data(), {4 * 4096, 8192});
}

BOOST_AUTO_TEST_SUITE_END()
