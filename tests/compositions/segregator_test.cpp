// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/compositions/segregator.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include "support/allocator_life.hpp"
#include "support/bump_parent.hpp"

using namespace palloc;

namespace {

using heap = pool<static_granule<16>, native_memory, boundary<flat>, first_fit, unprotected>;
static_assert(touchable_allocator<segregator<256, heap, heap>>);
static_assert(!touchable_allocator<segregator<256, heap, test::bump_parent>>);
static_assert(!concurrent_allocator<segregator<256, heap, heap>>);

} // namespace

BOOST_AUTO_TEST_SUITE(segregation)

BOOST_AUTO_TEST_CASE(size_and_alignment_decide) {
    segregator<256, test::bump_parent, test::bump_parent> pool;
    const address small = pool.allocate(256, 256).value();
    BOOST_TEST(pool.small().blocks.size() == 1u);
    const address large = pool.allocate(257, 1).value();
    const address aligned = pool.allocate(1, 512).value();
    BOOST_TEST(pool.small().blocks.size() == 1u);
    BOOST_TEST(pool.large().blocks.size() == 2u);
    BOOST_TEST((pool.owns(small) && pool.owns(large) && pool.owns(aligned)));
    BOOST_TEST(!pool.owns(~address{0}));
    BOOST_TEST(pool.deallocate(aligned, 1, 512).has_value());
    BOOST_TEST(pool.deallocate(small, 256, 256).has_value());
    BOOST_TEST(pool.small().blocks.empty());
    BOOST_TEST(pool.deallocate(large, 257, 1).has_value());
    BOOST_TEST(pool.large().blocks.empty());
}

BOOST_AUTO_TEST_CASE(a_block_freed_with_the_other_part_s_size_is_refused_there) {
    segregator<256, test::bump_parent, test::bump_parent> pool;
    const address small = pool.allocate(100, 1).value();
    BOOST_TEST((pool.deallocate(small, 300, 1).error().code == errc::not_a_block));
    BOOST_TEST(pool.deallocate(small, 100, 1).has_value());
    BOOST_TEST((pool.allocate(0, 1).error().code == errc::zero_size));
}

BOOST_AUTO_TEST_CASE(lives_through_a_random_program) {
    const pool_options grows{.growth = growth_policy::refill(1 << 20)};
    segregator<128, heap, heap> pool([&] { return heap(grows); }, [&] { return heap(grows); });
    test::live_through(pool, 20'000);
    BOOST_TEST(pool.small().used_bytes() + pool.large().used_bytes() == 0u);
    BOOST_TEST((pool.small().chunk_count() > 0 && pool.large().chunk_count() > 0));
}

BOOST_AUTO_TEST_SUITE_END()
