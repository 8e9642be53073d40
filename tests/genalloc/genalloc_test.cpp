// SPDX-License-Identifier: MIT
// What the kernel's genalloc does, edge by edge, in cases worked out by hand.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/genalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <vector>

#include "genalloc/bitmaps.hpp"
#include "genalloc/pool_fixture.hpp"
#include "support/misuse_log.hpp"

namespace {

using namespace palloc;
using test::pool_fixture;

BOOST_AUTO_TEST_SUITE(genalloc_itself)

BOOST_AUTO_TEST_CASE_TEMPLATE(an_empty_pool_has_nothing, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.refuses(1);
    f.refuses(1, first_fit_align(64));
    f.refuses(1, fixed(0));
    BOOST_TEST(f.pool.avail() == 0u);
    BOOST_TEST(f.pool.size() == 0u);
    BOOST_TEST(!f.pool.has_addr(0, 0));
    BOOST_TEST((f.pool.virt_to_phys(0).error().code == errc::not_ours));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_newest_chunk_serves_first, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x2000, 128);
    f.lend(0x3000, 128);
    f.lend(0x1000, 128);
    std::vector<address> order;
    f.pool.for_each_chunk([&](const auto& chunk) { order.push_back(chunk.where.base); });
    BOOST_TEST((order == std::vector<address>{0x1000, 0x3000, 0x2000}));
    f.gives(0x1000, 100);
    f.gives(0x3000, 64);
    f.gives(0x2000, 128); // the newer one has only a half left
    f.gives(0x3040, 1);
    f.refuses(1);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_tail_counts_but_is_never_handed_out, Bitmap,
                              test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 100);
    f.lend(0x2000, 63); // no granule at all
    BOOST_TEST(f.pool.size() == 163u);
    BOOST_TEST(f.pool.avail() == 163u);
    BOOST_TEST(f.pool.has_addr(0x1063, 1));
    BOOST_TEST(f.pool.has_addr(0x203e, 1));
    f.refuses(90); // fewer than are available
    f.gives(0x1000, 1);
    BOOST_TEST(f.pool.avail() == 99u);
    f.refuses(1);
    f.calls_misuse(errc::past_the_end, 0x1040, 1);
    f.calls_misuse(errc::past_the_end, 0x1000, 100);
    f.takes_back(0x1000, 64);
    BOOST_TEST(f.pool.avail() == f.pool.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(granules_begin_at_the_chunk, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1003, 192);
    f.gives(0x1003, 65);
    f.gives(0x1083, 64);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(chunks_that_touch_stay_two, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 64);
    f.lend(0x1040, 64);
    f.refuses(128);
    BOOST_TEST(f.pool.has_addr(0x1040, 64));
    BOOST_TEST(!f.pool.has_addr(0x1020, 64));
    f.gives(0x1040, 64);
    f.gives(0x1000, 64);
    f.calls_misuse(errc::past_the_end, 0x1000, 128);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(both_ends_of_the_address_space_serve, Bitmap,
                              test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    constexpr address top = ~address{0} - 127;
    f.lend(top, 128);
    f.lend(0, 128);
    auto& beneath = f.pool.as_pool();
    for (const range within : {range{64, 0 - address{64}}, range{top, 128}}) { // both end at 2^64
        const auto got = beneath.allocate({.bytes = 64, .within = within});
        BOOST_TEST(got.value_or(1) == (within.base == top ? top : 64));
        f.takes_back(got.value_or(1), 64);
    }
    f.gives(0, 64); // address 0 is an address, and no failure
    f.gives(64, 64);
    f.gives(top, 64);
    f.gives(top + 64, 64);
    BOOST_TEST(f.pool.has_addr(top, 128));
    BOOST_TEST(!f.pool.has_addr(top, 129));
    f.takes_back(0, 128);
    f.takes_back(top + 64, 64);
    f.gives(0, 128);
    BOOST_TEST((f.pool.add(top - 64, 256).error().code == errc::bad_argument)); // past 2^64
}

BOOST_AUTO_TEST_CASE_TEMPLATE(sizes_that_cannot_be_served_are_refused, Bitmap,
                              test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 0x1000);
    BOOST_TEST((f.pool.alloc(0).error().code == errc::zero_size));
    for (const std::uint64_t bytes :
         {0x1001ULL, 1ULL << 38, 1ULL << 63, ~0ULL - 63, ~0ULL - 62, ~0ULL})
        f.refuses(bytes);
    f.gives(0x1000, 0x1000);
}

BOOST_AUTO_TEST_CASE(the_largest_granules_serve) {
    for (const unsigned order : {40u, 62u, 63u}) {
        basic_genalloc<flat> pool({.order = order});
        const std::uint64_t granule = 1ULL << order;
        BOOST_TEST(pool.add(0, ~0ULL).has_value()); // all but the last byte: the last granule lacks
        BOOST_TEST(pool.alloc(1).value() == 0u);
        BOOST_TEST(pool.avail() == ~0ULL - granule);
        BOOST_TEST(!pool.alloc(~0ULL).has_value());
        BOOST_TEST(pool.free(0, granule).has_value());
        BOOST_TEST(pool.alloc(granule - 1).value() == 0u);
        BOOST_TEST(pool.free(0, 1).has_value());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(owners_are_told, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    int device = 0;
    f.lend(0x1000, 64);
    BOOST_TEST(f.pool.add_owner(0x2000, 0x80000, 64, &device).has_value());
    void* owner = &f;
    BOOST_TEST(f.pool.alloc_owner(64, owner).value() == 0x2000u);
    BOOST_TEST(owner == &device);
    BOOST_TEST(f.pool.alloc_owner(64, best_fit{}, owner).value() == 0x1000u);
    BOOST_TEST(owner == nullptr); // that chunk has none
    owner = &f;
    BOOST_TEST(!f.pool.alloc_owner(64, owner).has_value());
    BOOST_TEST(owner == nullptr);
    BOOST_TEST(f.pool.free_owner(0x2000, 64, owner).has_value());
    BOOST_TEST(owner == &device);
    BOOST_TEST(!f.pool.free_owner(0x9000, 64, owner).has_value());
    BOOST_TEST(owner == nullptr);
    f.takes_back(0x1000, 64);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(any_granules_may_be_given_back, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 64 * 300);
    f.gives(0x1000, 64 * 200);
    f.gives(0x1000 + 64 * 200, 64 * 100);
    f.takes_back(0x1000 + 64 * 70, 64); // a part
    f.gives(0x1000 + 64 * 70, 1);
    f.takes_back(0x1000 + 64 * 150, 64 * 100); // of two neighbours
    f.gives(0x1000 + 64 * 150, 64 * 100);
    f.takes_back(0x1000, 64 * 300 - 63); // all at once; the last granule is rounded up
    BOOST_TEST(f.pool.avail() == f.pool.size());
    f.gives(0x1000, 64 * 300);
    f.takes_back(0x1000, 1); // too little: the rest stays taken
    f.refuses(65);
    f.takes_back(0x1040, 64 * 299);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_stops_the_kernel_is_misuse, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 256);
    f.gives(0x1000, 128);
    f.calls_misuse(errc::not_ours, 0xfff, 1);
    f.calls_misuse(errc::not_ours, 0x1100, 1);
    f.calls_misuse(errc::not_ours, 0x5000, 0);
    f.calls_misuse(errc::past_the_end, 0x1000, 257);
    f.calls_misuse(errc::double_free, 0x1080, 64);
    f.takes_back(0x1000, 0); // nothing
    BOOST_TEST(f.pool.avail() == 128u);
    f.takes_back(0x1000, 128);
    f.calls_misuse(errc::double_free, 0x1000, 64);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_end_with_live_blocks_is_misuse, Bitmap, test::genalloc_bitmaps) {
    test::misuse_log log;
    {
        basic_genalloc<Bitmap> pool({.order = 4, .on_misuse = log.policy()});
        BOOST_TEST(pool.add(0x1000, 64).has_value());
        BOOST_TEST(pool.alloc(40).value() == 0x1000u);
        BOOST_TEST(pool.free(0x1000, 32).has_value());
    }
    BOOST_TEST(log.seen.size() == 1u);
    BOOST_TEST((log.seen.at(0).what == errc::outstanding));
}

BOOST_AUTO_TEST_CASE(an_order_without_meaning_is_misuse) {
    test::misuse_log log;
    const genalloc pool({.order = 64, .on_misuse = log.policy()});
    BOOST_TEST(log.seen.size() == 1u);
    BOOST_TEST((log.seen.at(0).what == errc::bad_argument));
    BOOST_TEST(pool.as_pool().granule().order() == 63u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
