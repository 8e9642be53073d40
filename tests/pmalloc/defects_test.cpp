// SPDX-License-Identifier: MIT
// What was wrong in the kernel's patches, each shown to be right here. The numbers are those of
// docs/pmalloc.md.
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>

#include "pmalloc/made.hpp"

using namespace palloc;
using test::check_fails;
using test::made;
using test::number;

BOOST_AUTO_TEST_SUITE(pmalloc_defects)

BOOST_AUTO_TEST_CASE(defect_1_read_only_ends_every_way_of_writing_and_every_mode) {
    for (const pmalloc_mode mode :
         {pmalloc_mode::wr, pmalloc_mode::auto_wr, pmalloc_mode::start_wr}) {
        const auto pool = made({.mode = mode});
        const std::uint64_t* const first = pool->make<std::uint64_t>(1U).value();
        const void* const in_second_area = pool->alloc(test::unit_bytes() + 1000).value();
        BOOST_TEST(pool->protect().has_value());
        BOOST_TEST(pool->assign(first, 2).has_value());
        BOOST_TEST(pool->make_read_only().has_value());
        check_fails(pool->assign(first, 3), {errc::is_protected});
        check_fails(pool->fill(in_second_area, std::byte{1}, 8), {errc::is_protected});
        check_fails(pool->publish(first, 3), {errc::is_protected});
        check_fails(pool->add(first, 3), {errc::is_protected});
        check_fails(pool->open_window(first).map([](auto&&) {}), {errc::is_protected});
        check_fails(pool->alloc(8), {errc::is_protected});
        BOOST_TEST(pool->make_read_only().has_value());
        BOOST_TEST(*first == 2u);
    }
}

BOOST_AUTO_TEST_CASE(defect_2_nothing_is_no_block) {
    const auto pool = made();
    check_fails(pool->alloc(0), {errc::zero_size});
    check_fails(pool->alloc_array(0, 0), {errc::zero_size});
    check_fails(pool->make_array<int>(0).map([](auto) {}), {errc::zero_size});
    check_fails(pool->allocate(0), {errc::zero_size});
}

BOOST_AUTO_TEST_CASE(defect_3_preloaded_memory_is_the_pools) {
    const auto pool = made();
    BOOST_TEST(pool->preload(10'000).has_value());
    const address block = number(pool->alloc(9'000, pmalloc_flags::must_not_map).value());
    BOOST_TEST(pool->statistics().areas == 1u);
    BOOST_TEST(any_pmalloc::owned_by_any({block, 9'000}) == ownership::yes);
}

BOOST_AUTO_TEST_CASE(defect_4_nothing_of_the_pool_lies_in_the_memory) {
    const auto pool = made({.refill_bytes = 1 << 16});
    for (int i = 0; i != 100; ++i) {
        const auto* const block = static_cast<const char*>(pool->alloc(400).value());
        BOOST_TEST(std::all_of(block, block + 400, [](char c) { return c == 0; }));
        if (i % 3 == 0)
            BOOST_TEST(pool->free(block).has_value());
    }
    const auto& area = pool->as_pool().chunk_at(0);
    const auto* const bytes = reinterpret_cast<const char*>(area.where.base);
    BOOST_TEST(std::all_of(bytes, bytes + area.where.bytes, [](char c) { return c == 0; }));
}

BOOST_AUTO_TEST_CASE(defect_5_products_that_overflow_are_refused) {
    const auto pool = made();
    const std::uint64_t half = std::uint64_t{1} << 32;
    check_fails(pool->alloc_array(half, half), {errc::too_large});
    check_fails(pool->calloc(half + 1, half), {errc::too_large});
    check_fails(pool->make_array<std::uint64_t>(~std::uint64_t{0} / 4).map([](auto) {}),
                {errc::too_large});
    for (const std::uint64_t size : {~std::uint64_t{0}, ~std::uint64_t{0} - 6}) // rounding up wraps
        BOOST_TEST(!pool->calloc(1, size).has_value());
    BOOST_TEST(pool->statistics().areas == 0u);
    void* const used = pool->alloc(3000).value();
    std::memset(used, 0xff, 3000);
    BOOST_TEST(pool->free(used).has_value());
    const auto* const zeros = static_cast<const char*>(pool->calloc(3, 1000).value());
    BOOST_TEST(zeros == used); // what does not overflow is served, and clean
    BOOST_TEST(std::all_of(zeros, zeros + 3000, [](char each) { return each == 0; }));
    BOOST_TEST(pool->statistics().allocated_bytes >= 3000u);
}

BOOST_AUTO_TEST_CASE(defect_6_alignments_beyond_a_page_are_kept) {
    const auto pool = made({.alignment = 1 << 14});
    for (int i = 0; i != 5; ++i)
        BOOST_TEST(number(pool->alloc(8).value()) % (1 << 14) == 0u);
    BOOST_TEST(number(pool->alloc_aligned(8, 1 << 21).value()) % (1 << 21) == 0u);
}

BOOST_AUTO_TEST_CASE(defect_7_memory_that_is_there_is_somebodys_until_it_is_gone) {
    const test::page_probe probe;
    for (int round = 0; round != 50; ++round) {
        auto pool = made({.name = "ending"});
        const address block = number(pool->alloc(64).value());
        BOOST_TEST(pool->protect().has_value());
        std::atomic<bool> asking = false;
        std::atomic<bool> lied = false;
        std::thread other([&] {
            for (bool owned = true; owned;) {
                asking = true;
                owned = any_pmalloc::owned_by_any({block, 64}) == ownership::yes;
            }
            lied = probe.readable(block); // nobody's any more: then it is gone
        });
        while (!asking) {
        }
        pool.reset();
        other.join();
        BOOST_TEST(!lied);
    }
}

BOOST_AUTO_TEST_CASE(defect_8_the_whole_target_range_is_checked) {
    const auto pool = made({.mode = pmalloc_mode::wr});
    const auto bytes = static_cast<std::size_t>(test::unit_bytes());
    const auto* const block = static_cast<const char*>(pool->alloc(bytes).value());
    const auto* const last = block + bytes - 1;
    BOOST_TEST(pool->protect().has_value());
    BOOST_TEST(pool->fill(last, std::byte{1}, 1).has_value());
    check_fails(pool->fill(last, std::byte{1}, 2), {errc::past_the_end});
    check_fails(pool->fill(block, std::byte{1}, bytes + 1), {errc::past_the_end});
    check_fails(pool->fill(block, std::byte{1}, ~std::size_t{0}), {errc::past_the_end});
    const std::uint64_t word = 1;
    check_fails(pool->copy(last, std::as_bytes(std::span(&word, 1))), {errc::past_the_end});
    check_fails(pool->open_window({number(block) - 1, 2}).map([](auto&&) {}), {errc::not_ours});
    BOOST_TEST((*last == 1 && last[-1] == 0));
}

BOOST_AUTO_TEST_SUITE_END()
