// SPDX-License-Identifier: MIT
// Memory given back to the system: of free pages, and of whole chunks while others allocate.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "backends/os.hpp"
#include "support/address_space.hpp"
#include "support/huge_pages.hpp"
#include "support/misuse_log.hpp"
#include "support/random.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

template <class Backing, class Bitmap>
using pool_over = pool<static_granule<64>, Backing, Bitmap, first_fit, unprotected>;

using pools = std::tuple<pool_over<mmap_backing, boundary<indexed>>, pool_over<memfd, indexed>,
                         pool_over<hugepage, indexed>, pool_over<mmap_backing, atomic>,
                         pool_over<memfd, boundary<atomic>>>;

/// Counts how often memory was given back. No test here counts with two threads.
struct discard_counter {
    static constexpr bool is_concurrent = true;
    std::size_t told = 0;
    void on(const event& happened) noexcept {
        told += happened.what == event::kind::discard ? 1u : 0u;
    }
};

/// Without explicit large pages, which do not count as resident.
template <class Pool>
auto backing_of() {
    using backing = std::remove_cvref_t<decltype(std::declval<Pool&>().backing())>;
    if constexpr (std::is_same_v<backing, hugepage>)
        return hugepage({.gigantic = false, .huge = false});
    else
        return backing();
}

void fill(address block, std::uint64_t bytes) {
    std::memset(reinterpret_cast<void*>(block), 0x5a, static_cast<std::size_t>(bytes));
}

constexpr std::uint64_t large_page = 2 * mebibyte;
constexpr std::uint64_t large_pages = 8;

/// How many of the first large pages from `base` on are in memory.
std::uint64_t large_pages_in_memory(address base) {
    std::uint64_t there = 0;
    for (std::uint64_t i = 0; i != large_pages; ++i) {
        std::array<unsigned char, 1> page{};
        const range first{base + i * large_page, os::page_bytes()};
        BOOST_TEST_REQUIRE(os::residency(first, page).has_value());
        there += page[0] & 1U;
    }
    return there;
}

template <class Granule, class Bitmap>
using large_page_pool = pool<Granule, hugepage, Bitmap, first_fit, unprotected, discard_counter>;

/// Granules that divide a page, and some that do not.
using large_page_pools =
    std::tuple<large_page_pool<static_granule<64>, indexed>,
               large_page_pool<static_granule<64>, atomic>, large_page_pool<sized_granule, indexed>,
               large_page_pool<sized_granule, atomic>>;

} // namespace

BOOST_AUTO_TEST_SUITE(give_back)

BOOST_AUTO_TEST_CASE_TEMPLATE(after_a_peak_one_call_leaves_next_to_nothing, Pool, pools) {
    if (test::is_sanitized)
        test::skip("a sanitizer's memory is resident as well");
    Pool pool({.growth = growth_policy::geometric(mebibyte, 64 * mebibyte)}, {},
              backing_of<Pool>());
    const std::uint64_t before = test::resident_pages();
    std::vector<std::pair<address, std::uint64_t>> blocks;
    test::random_source random;
    for (std::uint64_t total = 0; total < 200 * mebibyte;) {
        const std::uint64_t bytes = random.between(1, 20'000);
        blocks.emplace_back(pool.allocate(bytes).value(), bytes);
        fill(blocks.back().first, bytes);
        total += bytes;
    }
    const std::uint64_t peak = test::resident_pages() - before;
    for (const auto& [block, bytes] : blocks)
        BOOST_REQUIRE(pool.deallocate(block, bytes).has_value());
    BOOST_TEST(test::resident_pages() - before > peak / 2); // so there is something to give back
    BOOST_TEST(pool.discard_free_pages() >= 190 * mebibyte);
    const std::uint64_t after = test::resident_pages();
    BOOST_TEST((after < before || (after - before) * 50 <= peak),
               after - before << " pages left of " << peak);
    const auto again = pool.allocate(100'000).value(); // and the memory is there again
    fill(again, 100'000);
    BOOST_TEST(pool.deallocate(again, 100'000).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(live_blocks_keep_what_they_hold, Pool, pools) {
    Pool pool({.growth = growth_policy::refill(4 * mebibyte)}, {}, backing_of<Pool>());
    std::vector<std::pair<address, std::uint64_t>> live;
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        for (int round = 0; round != 300; ++round) {
            const std::uint64_t bytes = random.between(1, 30'000);
            live.emplace_back(pool.allocate(bytes).value(), bytes);
            fill(live.back().first, bytes);
            if (random.chance(50)) {
                std::swap(live[random.below(live.size())], live.back());
                BOOST_REQUIRE(pool.deallocate(live.back().first, live.back().second).has_value());
                live.pop_back();
            }
            if (round % 20 == 0)
                (void)pool.discard_free_pages(random.below(mebibyte));
        }
        for (const auto& [block, bytes] : live) {
            const auto* const first = reinterpret_cast<const unsigned char*>(block);
            BOOST_TEST((first[0] == 0x5a && first[bytes / 2] == 0x5a && first[bytes - 1] == 0x5a));
            BOOST_TEST(pool.deallocate(block, bytes).has_value());
        }
        BOOST_TEST(pool.used_bytes() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(what_is_kept_and_how_far_it_goes_can_be_said) {
    fake_space space;
    pool<static_granule<64>, fake_demand_paged, indexed, first_fit, unprotected, discard_counter>
        it({}, {}, fake_demand_paged(space));
    for (int i = 0; i != 4; ++i)
        BOOST_TEST(it.grow(mebibyte).has_value());
    BOOST_TEST(it.discard_free_pages() == 4 * mebibyte);
    BOOST_TEST(it.discard_free_pages(2 * mebibyte) == 2 * mebibyte);
    BOOST_TEST(it.discard_free_pages(4 * mebibyte) == 0u);
    BOOST_TEST(it.discard_free_pages(0, 1) == mebibyte); // one piece, and no more
    space.script.fail_nth(backing_call::discard, 2);
    BOOST_TEST(it.discard_free_pages() == 3 * mebibyte);
    BOOST_TEST(it.observer<discard_counter>().told == 4u + 2u + 1u + 3u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(large_pages_go_whole_and_are_counted_so, Pool, large_page_pools) {
    const test::huge_pages pages(large_pages);
    if (test::huge_pages::left() < large_pages)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
    using granule = std::remove_cvref_t<decltype(std::declval<Pool&>().granule())>;
    constexpr std::uint64_t bytes = large_pages * large_page;
    Pool it(
        {.growth = growth_policy::refill(bytes)},
        [] {
            if constexpr (std::is_same_v<granule, sized_granule>)
                return granule(96);
            else
                return granule();
        }(),
        hugepage({.gigantic = false, .transparent = false, .base = false}));
    const auto told = [&] { return it.template observer<discard_counter>().told; };

    const address first = it.allocate(96).value();
    const std::uint64_t all_the_rest = it.free_bytes();
    const address rest = it.allocate(all_the_rest).value();
    fill(first, 96);
    fill(rest, all_the_rest);
    BOOST_TEST(large_pages_in_memory(first) == large_pages);
    BOOST_TEST(it.deallocate(rest, all_the_rest).has_value());
    BOOST_TEST(it.discard_free_pages() == bytes - large_page);
    BOOST_TEST(large_pages_in_memory(first) == 1u);
    BOOST_TEST(*reinterpret_cast<unsigned char*>(first) == 0x5a);
    BOOST_TEST(it.deallocate(first, 96).has_value());

    // Two blocks that leave free, between them, the half of one page and the half of the next.
    constexpr std::uint64_t three_halves = large_page / 2 * 3;
    const std::array<address, 3> blocks{it.allocate(large_page / 2).value(),
                                        it.allocate(large_page).value(),
                                        it.allocate(three_halves).value()};
    fill(blocks[1], large_page);
    BOOST_TEST(it.deallocate(blocks[1], large_page).has_value());
    const std::size_t before = told();
    const std::uint64_t given = it.discard_free_pages();
    const std::uint64_t behind = (bytes - (blocks[2] + three_halves - blocks[0])) / large_page;
    BOOST_TEST(given == behind * large_page);
    BOOST_TEST(told() - before <= behind);
    BOOST_TEST(large_pages_in_memory(first) == 2u);
    BOOST_TEST(it.deallocate(blocks[0], large_page / 2).has_value());
    BOOST_TEST(it.deallocate(blocks[2], three_halves).has_value());
    BOOST_TEST(it.discard_free_pages() == bytes);
    BOOST_TEST(large_pages_in_memory(first) == 0u);
}

BOOST_AUTO_TEST_CASE(drained_chunks_serve_again_before_the_pool_grows) {
    fake_space space;
    test::misuse_log mistakes;
    pool_over<fake_demand_paged, atomic> it(
        {.growth = growth_policy::refill(4096), .on_misuse = mistakes.policy()}, {},
        fake_demand_paged(space));
    std::vector<address> blocks;
    for (int i = 0; i != 4; ++i)
        blocks.push_back(it.allocate(4096).value());
    BOOST_TEST(it.drain_empty_chunks() == 0u);
    for (const address block : blocks)
        BOOST_TEST(it.deallocate(block, 4096).has_value());
    BOOST_TEST(it.drain_empty_chunks(1) == 3 * 4096u);
    BOOST_TEST(it.drained_chunks() == 3u);
    BOOST_TEST(it.used_bytes() == 0u);
    BOOST_TEST(it.free_bytes() == 4096u);
    const address first = it.allocate(4096).value();
    const address second = it.allocate(4096).value(); // of a chunk that was drained
    BOOST_TEST(it.drained_chunks() == 2u);
    BOOST_TEST(it.chunk_count() == 4u);
    BOOST_TEST(it.retire_drained_chunks() == 2 * 4096u);
    BOOST_TEST(it.chunk_count() == 2u);
    BOOST_TEST(space.mapped_bytes() == 2 * 4096u);
    BOOST_TEST((it.owns(first) && it.owns(second)));
    BOOST_TEST(it.deallocate(first, 4096).has_value());
    BOOST_TEST(it.deallocate(second, 4096).has_value());
    BOOST_TEST(mistakes.seen.empty());
}

/// Counts the chunks whose memory, and whose addresses, the pool said that it gave back.
struct return_counter {
    static constexpr bool is_concurrent = true;
    std::vector<range> discarded;
    std::vector<range> removed;
    void on(const event& happened) noexcept {
        if (happened.what == event::kind::discard)
            discarded.push_back(happened.where);
        if (happened.what == event::kind::remove_chunk)
            removed.push_back(happened.where);
    }
};

BOOST_AUTO_TEST_CASE(what_drains_and_retires_is_told_and_counted_as_far_as_it_went_back) {
    fake_space space;
    pool<static_granule<64>, fake_demand_paged, atomic, first_fit, unprotected, return_counter> it(
        {.growth = growth_policy::refill(4096)}, {}, fake_demand_paged(space));
    std::vector<address> blocks;
    for (int i = 0; i != 3; ++i)
        blocks.push_back(it.allocate(4096).value());
    std::ranges::sort(blocks);
    for (const address block : blocks)
        BOOST_TEST(it.deallocate(block, 4096).has_value());
    const auto& told = it.observer<return_counter>();
    const auto are_distinct_chunks = [&](std::vector<range> all) {
        std::ranges::sort(all, {}, &range::base);
        return std::ranges::adjacent_find(all) == all.end() &&
               std::ranges::all_of(all, [&](range each) {
                   return each.bytes == 4096 && std::ranges::binary_search(blocks, each.base);
               });
    };
    space.script.fail_nth(backing_call::discard, 2);
    BOOST_TEST(it.drain_empty_chunks() == 2 * 4096u);
    BOOST_TEST(it.drained_chunks() == 3u); // the one that was refused as well
    BOOST_TEST(told.discarded.size() == 2u);
    BOOST_TEST(are_distinct_chunks(told.discarded));
    BOOST_TEST(told.removed.empty());
    BOOST_TEST(it.retire_drained_chunks() == 3 * 4096u);
    BOOST_TEST(told.removed.size() == 3u);
    BOOST_TEST(are_distinct_chunks(told.removed));
    BOOST_TEST(told.discarded.size() == 2u);
}

BOOST_AUTO_TEST_CASE(memory_is_given_back_while_others_allocate) {
    using shared = pool_over<mmap_backing, boundary<atomic>>;
    shared it({.growth = growth_policy::refill(mebibyte)});
    std::atomic<int> running{2};
    std::atomic<std::uint64_t> wrong{0};
    const auto churn = [&](std::uint64_t seed) {
        test::random_source random(seed);
        std::vector<std::pair<address, std::uint64_t>> live;
        for (int step = 0; step != 30'000; ++step) {
            if (live.size() < 64 && !random.chance(30)) {
                const std::uint64_t bytes = random.between(1, 60'000);
                const auto got = it.allocate(bytes);
                if (!got) {
                    ++wrong;
                    continue;
                }
                *reinterpret_cast<std::uint64_t*>(*got) = *got ^ seed;
                live.emplace_back(*got, bytes);
            } else if (!live.empty()) {
                std::swap(live[random.below(live.size())], live.back());
                const auto [block, bytes] = live.back();
                live.pop_back();
                if (*reinterpret_cast<std::uint64_t*>(block) != (block ^ seed) ||
                    !it.deallocate(block, bytes))
                    ++wrong;
            }
        }
        for (const auto& [block, bytes] : live)
            if (*reinterpret_cast<std::uint64_t*>(block) != (block ^ seed) ||
                !it.deallocate(block, bytes))
                ++wrong;
        --running;
    };
    std::thread first([&] { churn(1); });
    std::thread second([&] { churn(2); });
    std::uint64_t given = 0;
    while (running != 0)
        given += it.discard_free_pages(mebibyte / 2) + it.drain_empty_chunks(1);
    first.join();
    second.join();
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(given > 0u);
    BOOST_TEST(it.used_bytes() == 0u);
    BOOST_TEST(it.drain_empty_chunks() + 0u <= it.mapped_bytes());
    BOOST_TEST(it.drained_chunks() == it.chunk_count());
    (void)it.retire_drained_chunks();
    BOOST_TEST(it.chunk_count() == 0u);
    BOOST_TEST(it.mapped_bytes() == 0u);
    const address again = it.allocate(100).value();
    BOOST_TEST(it.deallocate(again, 100).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
