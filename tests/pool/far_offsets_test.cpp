// SPDX-License-Identifier: MIT
// Places and sizes have 64 bits, whatever std::size_t has: pools beyond 4 GiB on a 32-bit build,
// too.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/algorithms/random_fit.hpp>
#include <palloc/algorithms/spread.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/core/wide.hpp>
#include <palloc/genalloc.hpp>
#include <palloc/granularities/order_granule.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <iterator>
#include <map>

#include "support/check.hpp"
#include "support/misuse_log.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;
constexpr bool counts_in_32_bits = sizeof(std::size_t) == 4;

template <class Granule, class Bitmap, class Algorithm>
using numbers = pool<Granule, fake_demand_paged, Bitmap, Algorithm, unprotected>;
using models = boost::mpl::list<
    numbers<order_granule, flat, first_fit>, numbers<order_granule, indexed, best_fit>,
    numbers<order_granule, boundary<flat>, random_fit>, numbers<order_granule, atomic, spread>,
    numbers<sized_granule, indexed, first_fit>>;

/// About 64 MiB each, one of them no power of two.
template <class Granule>
Granule large_granule() {
    if constexpr (std::is_same_v<Granule, order_granule>)
        return order_granule(26);
    else
        return sized_granule(3 * (std::uint64_t{1} << 24));
}

} // namespace

BOOST_AUTO_TEST_SUITE(far_offsets)

BOOST_AUTO_TEST_CASE_TEMPLATE(blocks_beyond_4_gib_lie_apart_and_come_back, Pool, models) {
    const auto granule =
        large_granule<std::remove_cvref_t<decltype(std::declval<Pool&>().granule())>>();
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        fake_space space;
        Pool pool{pool_options{}, granule, fake_demand_paged(space)};
        const range whole{3 * tib, tib};
        BOOST_TEST_REQUIRE(pool.add({.where = whole}).has_value());
        std::map<address, std::uint64_t> live;
        std::uint64_t used = 0;
        std::uint64_t failures = 0;
        for (int step = 0; step != 4000; ++step) {
            if (random.chance(55)) {
                const std::uint64_t bytes = random.between(1, 20 * gib);
                const std::uint64_t alignment = std::uint64_t{1} << random.below(40);
                const range within =
                    random.chance(20) ? range{whole.base + random.below(tib), 40 * gib} : anywhere;
                const auto got =
                    pool.allocate({.bytes = bytes, .alignment = alignment, .within = within});
                if (!got) {
                    ++failures;
                    test::check(got.error().code == errc::out_of_memory);
                    continue;
                }
                const range block{*got, pool.usable_bytes(bytes)};
                test::check(whole.contains(block) && block.bytes >= bytes);
                test::check(*got % alignment == 0 && within.contains(range{*got, bytes}));
                const auto next = live.lower_bound(*got);
                test::check(next == live.end() || next->first >= *got + block.bytes);
                test::check(next == live.begin() ||
                            std::prev(next)->first + std::prev(next)->second <= *got);
                live.emplace(*got, block.bytes);
                used += block.bytes;
            } else if (!live.empty()) {
                auto gone = live.lower_bound(whole.base + random.below(tib));
                gone = gone == live.end() ? live.begin() : gone;
                test::check(pool.deallocate(gone->first, gone->second).has_value());
                used -= gone->second;
                live.erase(gone);
            }
            test::check(pool.used_bytes() == used);
        }
        BOOST_TEST(failures < 2000u);
        for (const auto& [base, bytes] : live)
            test::check(pool.deallocate(base, bytes).has_value());
        BOOST_TEST(pool.used_bytes() == 0u);
        BOOST_TEST(pool.largest_free_run_bytes() == pool.capacity_bytes());
    }
}

BOOST_AUTO_TEST_CASE(an_alignment_beyond_what_granules_count_has_one_place) {
    fake_space space;
    numbers<order_granule, flat, first_fit> pool{pool_options{}, order_granule(4),
                                                 fake_demand_paged(space)};
    // 2^36 and 2^40 are 2^32 and 2^36 granules; only one multiple of each lies inside.
    const address multiple = 5 * tib;
    BOOST_TEST_REQUIRE(pool.add({.where = {multiple - 4096, 8192}}).has_value());
    for (const std::uint64_t alignment : {std::uint64_t{1} << 36, tib}) {
        const auto got = pool.allocate(16, alignment);
        BOOST_TEST_REQUIRE(got.has_value());
        BOOST_TEST(*got == multiple);
        BOOST_TEST((pool.allocate(16, alignment).error().code == errc::out_of_memory));
        BOOST_TEST(pool.deallocate(*got, 16).has_value());
        BOOST_TEST((pool.allocate(8192, alignment).error().code == errc::out_of_memory));
    }
    BOOST_TEST((pool.allocate(16, 2 * tib).error().code == errc::out_of_memory));
}

BOOST_AUTO_TEST_CASE(granules_may_be_larger_than_a_count_of_32_bits) {
    fake_space space;
    numbers<order_granule, flat, first_fit> pool{pool_options{}, order_granule(40),
                                                 fake_demand_paged(space)};
    BOOST_TEST_REQUIRE(pool.add({.where = {16 * tib, 4 * tib}}).has_value());
    BOOST_TEST(pool.usable_bytes(tib + 1) == 2 * tib);
    const auto first = pool.allocate(tib + 1);
    const auto second = pool.allocate(1);
    BOOST_TEST_REQUIRE((first && second));
    BOOST_TEST(*second - *first == 2 * tib);
    BOOST_TEST(pool.deallocate(*first, tib + 1).has_value());
    BOOST_TEST(pool.deallocate(*second, 1).has_value());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_counted_is_refused_and_nothing_changes) {
    fake_space space;
    test::misuse_log mistakes;
    numbers<order_granule, flat, first_fit> pool{pool_options{.on_misuse = mistakes.policy()},
                                                 order_granule(0), fake_demand_paged(space)};
    BOOST_TEST_REQUIRE(pool.add({.where = {tib, 4096}}).has_value());
    // 2^32 + 1 granules of a byte: as a number of 32 bits this would be one.
    const std::uint64_t many = 4 * gib + 1;
    BOOST_TEST((pool.allocate(many).error().code == errc::out_of_memory));
    const auto block = pool.allocate(1);
    BOOST_TEST_REQUIRE(block.has_value());
    BOOST_TEST((pool.deallocate(*block, many).error().code == errc::past_the_end));
    BOOST_TEST((pool.resize(*block, 1, many).error().code == errc::no_room));
    BOOST_TEST(pool.used_bytes() == 1u);
    BOOST_TEST(pool.deallocate(*block, 1).has_value());
    if constexpr (counts_in_32_bits) {
        BOOST_TEST((pool.add({.where = {2 * tib, many}}).error().code == errc::too_large));
        BOOST_TEST(pool.chunk_count() == 1u);
        BOOST_TEST(pool.usable_bytes(many) == ~std::uint64_t{0});
    } else {
        BOOST_TEST(pool.usable_bytes(many) == many);
    }
}

BOOST_AUTO_TEST_CASE(genalloc_lends_physical_ranges_above_4_gib) {
    genalloc pool({.order = 12});
    const range high{0x8'8000'0000, 8 * gib}; // as of memory behind a 32-bit hole
    const address physical = 0x123'4000'0000;
    BOOST_TEST_REQUIRE(pool.add_virt(high.base, physical, high.bytes).has_value());
    BOOST_TEST(pool.size() == high.bytes);
    const auto first = pool.alloc(5 * gib);
    const auto second = pool.alloc(2 * gib + 1);
    BOOST_TEST_REQUIRE((first && second));
    BOOST_TEST(*first == high.base);
    BOOST_TEST(*second == high.base + 5 * gib);
    BOOST_TEST(pool.virt_to_phys(*second).value() == physical + 5 * gib);
    BOOST_TEST(pool.avail() == gib - 4096);
    BOOST_TEST((pool.alloc(gib).error().code == errc::out_of_memory));
    const auto aligned = pool.alloc(4096, first_fit_align(0x2000));
    BOOST_TEST_REQUIRE(aligned.has_value());
    BOOST_TEST(*aligned == high.base + 7 * gib + 0x2000);
    BOOST_TEST(pool.free(*aligned, 4096).has_value());
    BOOST_TEST(pool.free(*first, 5 * gib).has_value());
    const auto there = pool.alloc(4096, palloc::fixed(4 * gib + 4096));
    BOOST_TEST_REQUIRE(there.has_value());
    BOOST_TEST(*there == high.base + 4 * gib + 4096);
    BOOST_TEST(pool.free(*there, 4096).has_value());
    BOOST_TEST(pool.free(*second, 2 * gib + 1).has_value());
    BOOST_TEST(pool.avail() == high.bytes);
}

BOOST_AUTO_TEST_SUITE_END()
