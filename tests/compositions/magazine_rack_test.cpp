// SPDX-License-Identifier: MIT
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/magazine_rack.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <vector>

#include "support/allocator_life.hpp"
#include "support/bump_parent.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

using heap = pool<static_granule<16>, native_memory, indexed, best_fit, unprotected>;
constexpr rack_options keeps{
    .largest_bytes = 1024, .most_blocks = 16, .bytes_per_class = 1024, .least_blocks = 4};
using front = magazine_rack<heap, keeps>;
static_assert(block_allocator<front> && touchable_allocator<front>);
static_assert(!touchable_allocator<magazine_rack<test::bump_parent>>);

struct scene {
    test::misuse_log mistakes;
    front pool{
        pool_options{.growth = growth_policy::refill(1 << 20), .on_misuse = mistakes.policy()}};

    /// The blocks that the rack fetches when it has none for `bytes`.
    std::uint64_t fetched(std::uint64_t bytes, std::uint64_t alignment = 1) {
        pool.flush();
        const std::uint64_t before = pool.pool().used_bytes();
        const address block = pool.allocate(bytes, alignment).value();
        const std::uint64_t after = pool.pool().used_bytes();
        BOOST_TEST(pool.deallocate(block, bytes, alignment).has_value());
        return after - before;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(rack)

BOOST_AUTO_TEST_CASE(what_is_kept_of_a_class_is_bounded_in_blocks_and_bytes) {
    scene it;
    BOOST_TEST(it.fetched(1) == 8 * 16u);      // half of 16 blocks
    BOOST_TEST(it.fetched(60) == 8 * 64u);     // half of 1024 bytes
    BOOST_TEST(it.fetched(100) == 4 * 112u);   // half of 1024 bytes, rounded
    BOOST_TEST(it.fetched(1024) == 2 * 1024u); // half of 4 blocks
    BOOST_TEST(it.fetched(1025) == 65 * 16u);  // not a matter of the rack
    BOOST_TEST(it.fetched(64, 16) == 8 * 64u); // every class is aligned to 16
    BOOST_TEST(it.fetched(64, 32) == 64u);     // but no further
    it.pool.flush();
    BOOST_TEST(it.pool.pool().used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(sizes_of_a_class_share_its_blocks) {
    scene it;
    const address block = it.pool.allocate(129).value();
    BOOST_TEST(it.pool.deallocate(block, 129).has_value());
    BOOST_TEST(it.pool.allocate(160).value() == block);
    BOOST_TEST(it.pool.allocate(128).value() != block);
    BOOST_TEST(it.pool.kept_bytes() == 2 * 160u + 3 * 128u);
    it.pool.reset();
    BOOST_TEST(it.pool.kept_bytes() == 0u);
    BOOST_TEST(it.pool.pool().used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(refuses_what_the_pool_refuses) {
    scene it;
    BOOST_TEST((it.pool.allocate(0).error().code == errc::zero_size));
    BOOST_TEST((it.pool.allocate(8, 0).error().code == errc::bad_alignment));
    BOOST_TEST((it.pool.allocate(8, 12).error().code == errc::bad_alignment));
    const address block = it.pool.allocate(8).value();
    BOOST_TEST(it.pool.deallocate(block, 8).has_value());
    BOOST_TEST((it.pool.deallocate(block, 8).error().code == errc::double_free));
    BOOST_TEST(it.mistakes.seen.size() == 1u);
    BOOST_TEST((it.pool.deallocate(block, 0).error().code == errc::zero_size));
}

BOOST_AUTO_TEST_CASE(needs_no_more_than_single_blocks_of_the_pool) {
    test::bump_parent parent;
    magazine_rack<test::bump_parent&, keeps> pool(parent);
    const address block = pool.allocate(10).value();
    BOOST_TEST(parent.blocks.size() == 8u);
    BOOST_TEST((parent.blocks.at(block) == test::bump_parent::block{16, 16}));
    BOOST_TEST(pool.deallocate(block, 10).has_value());
    pool.flush();
    BOOST_TEST(parent.blocks.empty());
}

BOOST_AUTO_TEST_CASE(lives_through_a_random_program) {
    test::misuse_log mistakes;
    {
        front pool(
            pool_options{.growth = growth_policy::refill(1 << 20), .on_misuse = mistakes.policy()});
        test::live_through(pool, 30'000);
        pool.flush();
        BOOST_TEST(pool.pool().used_bytes() == 0u);
    }
    BOOST_TEST(mistakes.seen.empty());
}

BOOST_AUTO_TEST_SUITE_END()
