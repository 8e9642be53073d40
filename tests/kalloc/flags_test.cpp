// SPDX-License-Identifier: MIT
// Flags through a thread's magazines, and across the two heaps of kvmalloc.
#include <palloc/core/alloc_flags.hpp>
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/heap_options.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "backends/seam.hpp"

using namespace palloc;

namespace {

#if defined(_WIN32)
constexpr os::call mapping = os::call::allocate;
#else
constexpr os::call mapping = os::call::map;
#endif
constexpr std::uint64_t page = 4096;

/// A heap of 1 MiB and a reserve of a quarter of that, used through magazines.
struct scene {
    kmalloc_heap heap{{.step_bytes = 1 << 20, .cap_bytes = 1 << 20, .reserve_bytes = 1 << 18}};
    kmalloc_heap::magazines* mine = *heap.make_magazines();
    std::vector<std::byte*> held;
    static constexpr layout one{2048, 1};

    ~scene() {
        for (auto* const each : held)
            drop(each);
        heap.end_magazines(mine);
    }
    result<std::span<std::byte>> get(alloc_flags how) {
        return heap.realloc_through(mine, nullptr, one, {0, 1}, how, no_node);
    }
    void drop(std::byte* block) {
        (void)heap.realloc_through(mine, block, {0, 1}, one, {}, no_node);
    }
    std::size_t fill(alloc_flags how) {
        const std::size_t before = held.size();
        while (const auto got = get(how))
            held.push_back(got->data());
        return held.size() - before;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(flags_)

BOOST_AUTO_TEST_CASE(a_thread_s_first_call_maps_nothing_if_it_may_not_block) {
    const auto atomic_in_a_new_thread = [](bool is_served) {
        std::jthread([&] {
            kmalloc it;
            const layout wanted{64, 8};
            const std::uint64_t before = os::calls(os::call::any);
            const auto got = alloc(it, wanted, flags::atomic);
            BOOST_TEST(got.has_value() == is_served);
            if (got)
                free(it, got->data(), wanted);
            BOOST_TEST(os::calls(os::call::any) == before);
            const auto own = alloc(it, wanted, flags::kernel); // magazines from here on
            free(it, own->data(), wanted);
            if (!is_served)
                BOOST_TEST(os::calls(mapping) > 0u);
        }).join();
    };
    atomic_in_a_new_thread(false); // there is no heap yet
    atomic_in_a_new_thread(true);
}

BOOST_AUTO_TEST_CASE(through_magazines_the_reserve_is_for_all_who_may) {
    scene it;
    BOOST_TEST(it.fill(flags::kernel) > 400u);
    BOOST_TEST(it.fill(flags::kernel | flags::may_reserve) >= 50u);
    it.drop(it.held.back()); // one of the reserve's, which nobody else gets
    it.held.pop_back();
    BOOST_TEST((!it.get(flags::kernel) && !it.get(flags::nowait)));
    BOOST_TEST(it.fill(flags::atomic) == 1u);
}

BOOST_AUTO_TEST_CASE(what_the_thread_kept_is_served_without_blocking) {
    for (const alloc_flags how : {flags::nowait, flags::atomic, flags::nowait | flags::zero}) {
        scene it;
        BOOST_TEST(it.fill(flags::kernel) > 400u);
        BOOST_TEST(!it.get(flags::nowait).has_value());
        std::byte* const kept = it.held.back();
        std::memset(kept, 1, scene::one.bytes);
        it.held.pop_back();
        it.drop(kept); // into the magazine
        const auto got = it.get(how);
        BOOST_TEST_REQUIRE(got.has_value());
        BOOST_TEST(got->data() == kept);
        if (how.contains(flags::zero))
            BOOST_TEST((got->front() == std::byte{0} && got->back() == std::byte{0}));
        it.held.push_back(kept);
    }
}

BOOST_AUTO_TEST_CASE(vmalloc_charges_whole_pages) {
    vmalloc_heap heap({.step_bytes = 1 << 20, .account_cap_bytes = 4 * page});
    auto block = *alloc(heap, {3 * page - 1, 1}, flags::kernel_account);
    BOOST_TEST((heap.account_bytes() == 3 * page && heap.owns(block.data())));
    BOOST_TEST((heap.used_bytes() == 3 * page && *heap.usable_bytes(block.data()) == 3 * page));
    std::memset(block.data(), 1, block.size());
    const auto to = [&](std::uint64_t bytes, alloc_flags how) {
        const auto got = heap.realloc(block.data(), {bytes, 1}, {block.size(), 1}, how, no_node);
        block = got.value_or(block);
        return got ? errc{} : got.error().code;
    };
    BOOST_TEST((to(5 * page, flags::kernel) == errc::over_limit)); // charged it was, so it is
    BOOST_TEST((block.back() == std::byte{1} && heap.account_bytes() == 3 * page));
    BOOST_TEST(
        (alloc(heap, {page + 1, 1}, flags::kernel_account).error().code == errc::over_limit));
    const auto uncharged = *alloc(heap, {9 * page, 1}, flags::kernel);
    BOOST_TEST((heap.account_bytes() == 3 * page && heap.used_bytes() == 12 * page));
    BOOST_TEST((to(4 * page, flags::kernel) == errc{} && heap.account_bytes() == 4 * page));
    BOOST_TEST((to(1, flags::kernel) == errc{} && heap.account_bytes() == page));
    const auto second = *alloc(heap, {3 * page, 1}, flags::kernel_account);
    BOOST_TEST(heap.account_bytes() == 4 * page);
    free(heap, second.data(), {3 * page, 1});
    free(heap, block.data(), {1, 1});
    free(heap, uncharged.data(), {9 * page, 1});
    BOOST_TEST((heap.account_bytes() == 0u && heap.used_bytes() == 0u));
    BOOST_TEST((alloc(heap, {~std::uint64_t{0} / 4, 1}, flags::kernel_account).error().code ==
                errc::over_limit));
}

BOOST_AUTO_TEST_CASE(the_account_has_a_limit_whoever_serves) {
    kmalloc_heap small({.step_bytes = 1 << 16, .account_cap_bytes = 1 << 16});
    vmalloc_heap large({.step_bytes = 1 << 24, .account_cap_bytes = 1 << 17});
    kv_allocator<allocator_ref<kmalloc_heap>, owner_ref<vmalloc_heap>> it(small, large);
    for (const std::uint64_t bytes : {8 * page, kmalloc_heap::max_bytes + 1}) {
        const layout wanted{bytes, 1};
        std::vector<std::byte*> charged;
        for (auto got = alloc(it, wanted, flags::kernel_account); got;
             got = alloc(it, wanted, flags::kernel_account)) {
            charged.push_back(got->data());
            BOOST_TEST_REQUIRE(charged.size() * bytes <= 3u << 16);
        }
        BOOST_TEST((alloc(it, wanted, flags::kernel_account).error().code == errc::over_limit));
        BOOST_TEST(charged.empty() == (bytes > 1 << 17));
        const auto uncharged = alloc(it, wanted, flags::kernel);
        BOOST_TEST_REQUIRE(uncharged.has_value());
        free(it, uncharged->data(), wanted);
        for (auto* const each : charged)
            free(it, each, wanted);
        BOOST_TEST(large.account_bytes() == 0u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
