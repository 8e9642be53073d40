// SPDX-License-Identifier: MIT
// What a pmalloc pool offers: memory of every shape, two phases of giving back, queries, names.
#include <palloc/pmalloc.hpp>
#include <palloc/pmalloc/any_pmalloc.hpp>
#include <palloc/pmalloc/choose_protection.hpp>
#include <palloc/pmalloc/options.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "pmalloc/made.hpp"
#include "support/random.hpp"

using namespace palloc;
using test::check_fails;
using test::made;
using test::number;

BOOST_AUTO_TEST_SUITE(pmalloc_pools)

BOOST_AUTO_TEST_CASE(memory_of_every_shape) {
    const auto pool = made({.refill_bytes = 1 << 16});
    auto* const zeros = static_cast<char*>(pool->zalloc(100).value());
    BOOST_TEST(std::all_of(zeros, zeros + 100, [](char c) { return c == 0; }));
    BOOST_TEST(number(pool->alloc_aligned(10, 1024).value()) % 1024 == 0u);
    BOOST_TEST(std::string(pool->strdup("a text").value()) == "a text");
    BOOST_TEST(std::string(pool->strdup("").value()).empty());
    BOOST_TEST((pool->alloc_array(7, 9).value() != nullptr));
    struct pair {
        int first;
        long second;
    };
    const pair* const made_pair = pool->make<pair>(3, 4).value();
    BOOST_TEST((made_pair->first == 3 && made_pair->second == 4));
    const auto numbers = pool->make_array<std::uint64_t>(1000).value();
    BOOST_TEST(numbers.size() == 1000u);
    BOOST_TEST(std::all_of(numbers.begin(), numbers.end(), [](auto n) { return n == 0; }));
    BOOST_TEST(pool->statistics().allocated_blocks == 7u);
    BOOST_TEST(pool->protect().value() == strength::sealed);
    BOOST_TEST((made_pair->first == 3 && numbers.back() == 0u));
    BOOST_TEST(!test::writable(made_pair));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_served_is_refused_in_words) {
    const auto pool = made({.cap_bytes = 16 * test::unit_bytes()});
    const std::uint64_t much = ~std::uint64_t{0};
    check_fails(pool->alloc(0), {errc::zero_size});
    check_fails(pool->zalloc(0), {errc::zero_size});
    check_fails(pool->alloc_aligned(8, 24), {errc::bad_alignment});
    check_fails(pool->alloc_aligned(8, 0), {errc::bad_alignment});
    check_fails(pool->alloc_array(0, 8), {errc::zero_size});
    check_fails(pool->calloc(8, 0), {errc::zero_size});
    check_fails(pool->alloc(much), {errc::too_large});
    check_fails(pool->alloc(much, pmalloc_flags::insist), {errc::too_large});
    check_fails(pool->alloc(16 * test::unit_bytes() + 1), {errc::over_limit});
    check_fails(pool->alloc(16 * test::unit_bytes() + 1, pmalloc_flags::insist),
                {errc::over_limit});
    check_fails(pool->alloc(8, pmalloc_flags::must_not_map), {errc::out_of_memory});
    check_fails(pool->preload(0), {errc::zero_size});
    BOOST_TEST(pool->statistics().areas == 0u);
    BOOST_TEST(pool->preload(100).has_value());
    BOOST_TEST(pool->alloc(8, pmalloc_flags::must_not_map).has_value());
    check_fails(pool->alloc(2 * test::unit_bytes(), pmalloc_flags::must_not_map),
                {errc::out_of_memory});
    BOOST_TEST(pool->statistics().areas == 1u);
}

BOOST_AUTO_TEST_CASE(pools_that_cannot_be) {
    const auto fails = [](pmalloc_options options) {
        const auto pool = pmalloc::create(options);
        return !pool && pool.error() == error{errc::bad_argument};
    };
    BOOST_TEST(fails({}));
    BOOST_TEST(fails({.name = "x", .alignment = 24}));
    BOOST_TEST(fails({.name = "x", .granule_order = 64}));
    BOOST_TEST(fails({.name = "x", .wanted = strength::none}));
    BOOST_TEST(fails({.name = "x", .wanted = strength::write_xor_execute}));
}

BOOST_AUTO_TEST_CASE(names_are_unique_and_found) {
    const std::string name("rules");
    auto first = made({.name = name});
    const auto second = pmalloc::create({.name = "rules"});
    check_fails(second.map([](auto&&) {}), {errc::bad_argument});
    BOOST_TEST(any_pmalloc::find("rules") == first.get());
    BOOST_TEST(any_pmalloc::find("other") == nullptr);
    const void* const block = first->alloc(8).value();
    BOOST_TEST(any_pmalloc::find_containing(number(block)) == first.get());
    BOOST_TEST(first->name() == "rules");
    first.reset();
    BOOST_TEST(any_pmalloc::find("rules") == nullptr);
    BOOST_TEST(any_pmalloc::find_containing(number(block)) == nullptr);
    BOOST_TEST(made({.name = "rules"})->name() == "rules"); // it is free again
}

BOOST_AUTO_TEST_CASE(ranges_are_owned_or_straddle) {
    const auto pool = made();
    const address block = number(pool->alloc(100).value());
    const address base = block - block % test::unit_bytes();
    BOOST_TEST(pool->owns(range{base, test::unit_bytes()}) == ownership::yes);
    BOOST_TEST(pool->owns(range{block, 100}) == ownership::yes);
    BOOST_TEST(pool->owns(range{base + test::unit_bytes() - 96, 97}) == ownership::straddles);
    BOOST_TEST(pool->owns(range{base - 10, 11}) == ownership::straddles);
    BOOST_TEST(pool->owns(range{base - 10, 10}) == ownership::no);
    BOOST_TEST(any_pmalloc::owned_by_any({base + test::unit_bytes() - 96, 97}) ==
               ownership::straddles);
    BOOST_TEST(any_pmalloc::owned_by_any({number(&pool), 8}) == ownership::no);
}

BOOST_AUTO_TEST_CASE(blocks_are_reused_before_protection_and_dead_after_it) {
    const auto pool = made({.protects_once = true});
    void* const first = pool->alloc(64).value();
    void* const second = pool->alloc(64).value();
    BOOST_TEST(pool->free(first).has_value());
    BOOST_TEST(pool->alloc(64).value() == first);
    BOOST_TEST(pool->protect().value() == strength::sealed);

    BOOST_TEST(pool->free(second).has_value());
    BOOST_TEST(pool->free(first, 64).has_value());
    check_fails(pool->alloc(64), {errc::is_protected});
    check_fails(pool->preload(64), {errc::is_protected});
    const pmalloc_statistics seen = pool->statistics();
    BOOST_TEST((seen.dead_bytes == 128u && seen.dead_blocks == 2u));
    BOOST_TEST((seen.allocated_bytes == 0u && seen.peak_bytes == 128u && seen.areas == 1u));
}

BOOST_AUTO_TEST_CASE(bad_frees_are_named_in_both_phases) {
    const auto pool = made();
    auto* const block = static_cast<char*>(pool->alloc(64).value());
    for (const bool is_protected : {false, true}) {
        BOOST_TEST_CONTEXT("protected " << is_protected) {
            const std::uint64_t before = pool->misuse_count();
            check_fails(pool->free(&pool), {errc::not_ours});
            check_fails(pool->free(block + 8), {errc::not_a_block});
            check_fails(pool->free(block + 1), {errc::not_a_block});
            check_fails(pool->free(block, 72), {errc::wrong_size});
            check_fails(pool->free(block + 64), {errc::double_free});
            check_fails(pool->deallocate(number(block), 64, 3), {errc::bad_alignment});
            check_fails(pool->deallocate(number(block), 64, 1UL << 62), {errc::bad_alignment});
            BOOST_TEST(pool->misuse_count() == before + 7);
            check_fails(pool->free(block, 0), {errc::zero_size});
        }
        BOOST_TEST(pool->protect().has_value());
    }
    BOOST_TEST(pool->free(block, 64).has_value());
}

BOOST_AUTO_TEST_CASE(the_books_are_out_of_reach_once_anything_is_protected) {
    const auto pool = made();
    const void* const block = pool->alloc(64).value();
    BOOST_TEST(test::page_probe().readable(number(pool.get())));
    BOOST_TEST(!pool->books_are_closed());
    BOOST_TEST(pool->protect().has_value());
    const auto out_of_reach = [&] {
        const auto& area = pool->as_pool().chunk_at(0);
        return pool->books_are_closed() && !test::writable(pool.get()) && !test::writable(&area) &&
               !test::writable(area.storage) && !test::writable(pool->name().data()) &&
               !test::writable(reinterpret_cast<const std::byte*>(pool.get()) + sizeof(pmalloc) -
                               1);
    };
    BOOST_TEST(out_of_reach());
    // What changes the pool opens them for as long as it takes.
    BOOST_TEST(pool->free(block).has_value());
    BOOST_TEST(out_of_reach());
    const void* const fresh = pool->alloc(64).value();
    BOOST_TEST(out_of_reach());
    BOOST_TEST(pool->free(fresh).has_value());
    BOOST_TEST(out_of_reach());
    BOOST_TEST(pool->protect().has_value());
    BOOST_TEST(out_of_reach());
    check_fails(pool->alloc(~std::uint64_t{0}), {errc::too_large});
    BOOST_TEST(out_of_reach());
}

BOOST_AUTO_TEST_CASE(areas_without_a_block_are_told_from_blocks) {
    const auto pool = made();
    auto* const first = static_cast<char*>(pool->alloc(100).value());
    auto* const second = static_cast<char*>(pool->alloc(24).value());
    const auto there = [&](const void* at) { return pool->locate(number(at)).value(); };
    BOOST_TEST((there(first).block == 0u && there(first).block_bytes == 104u));
    BOOST_TEST((there(second + 12).block == 1u && there(second + 12).offset == 12u));
    BOOST_TEST((there(second + 24).block_bytes == 0u));
    BOOST_TEST(there(second).pool == "test");
    BOOST_TEST(!pool->locate(number(&pool)).has_value());
    const auto* const elsewhere = static_cast<char*>(pool->alloc(8192).value());
    BOOST_TEST(there(elsewhere + 8000).block == 2u);
}

/// Against a list of what was handed out: no overlap, contents kept, sums right, whatever is done.
BOOST_AUTO_TEST_CASE(a_long_life_agrees_with_a_list) {
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        for (const pmalloc_mode mode :
             {pmalloc_mode::ro, pmalloc_mode::auto_ro, pmalloc_mode::wr, pmalloc_mode::auto_wr}) {
            const auto pool = made({.mode = mode, .refill_bytes = 1 << 14});
            std::map<address, std::pair<std::uint64_t, unsigned char>> live;
            std::uint64_t dead = 0;
            for (int step = 0; step != 600; ++step) {
                if (live.empty() || random.chance(60)) {
                    const std::uint64_t bytes = random.between(1, 700);
                    const std::uint64_t alignment = std::uint64_t{1} << random.below(9);
                    auto* const block =
                        static_cast<unsigned char*>(pool->alloc_aligned(bytes, alignment).value());
                    const auto mark = static_cast<unsigned char>(random.between(1, 255));
                    BOOST_TEST_REQUIRE(number(block) % alignment == 0u);
                    std::memset(block, mark, static_cast<std::size_t>(bytes));
                    const auto next = live.lower_bound(number(block));
                    BOOST_TEST_REQUIRE(
                        (next == live.end() || number(block) + bytes <= next->first));
                    live.emplace(number(block), std::pair{bytes, mark});
                } else if (random.chance(98)) {
                    const auto it = std::next(
                        live.begin(), static_cast<std::ptrdiff_t>(random.below(live.size())));
                    const auto* const block = reinterpret_cast<const unsigned char*>(it->first);
                    BOOST_TEST_REQUIRE(std::all_of(block, block + it->second.first,
                                                   [&](auto c) { return c == it->second.second; }));
                    if (pool->achieved(it->first) != strength::none)
                        dead += (it->second.first + 7) / 8 * 8;
                    BOOST_TEST_REQUIRE(pool->free(block, it->second.first).has_value());
                    live.erase(it);
                } else {
                    BOOST_TEST_REQUIRE(pool->protect().has_value());
                }
            }
            const pmalloc_statistics seen = pool->statistics();
            BOOST_TEST(seen.allocated_blocks == live.size());
            BOOST_TEST(seen.dead_bytes == dead);
            BOOST_TEST(pool->misuse_count() == 0u);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
