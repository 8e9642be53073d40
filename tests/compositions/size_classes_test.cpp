// SPDX-License-Identifier: MIT
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/compositions/size_classes.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>
#include <vector>

#include "support/allocator_life.hpp"
#include "support/counted_metadata.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

using heap = pool<static_granule<256>, native_memory, boundary<indexed>, best_fit, unprotected>;
using numbers = pool<static_granule<256>, fake_demand_paged, indexed, best_fit, unprotected>;

constexpr size_class_options small{.largest_bytes = 1024, .slab_bytes = 8192};
using classes = size_classes<heap, small>;
static_assert(batch_allocator<classes> && touchable_allocator<classes>);
static_assert(!touchable_allocator<size_classes<numbers>>);
static_assert(classes::class_count == 20);

struct scene {
    test::misuse_log mistakes;
    test::counted_metadata metadata;
    classes pool{pool_options{.growth = growth_policy::refill(1 << 20),
                              .on_misuse = mistakes.policy(),
                              .metadata = metadata}};
};

std::vector<address> blocks_of(classes& pool, std::size_t count, std::uint64_t bytes) {
    std::vector<address> blocks(count);
    BOOST_TEST(pool.allocate_many(bytes, 1, blocks) == count);
    return blocks;
}

} // namespace

BOOST_AUTO_TEST_SUITE(classes_of_sizes)

BOOST_AUTO_TEST_CASE(small_blocks_come_from_slabs_large_ones_from_the_parent) {
    scene it;
    const address small_block = it.pool.allocate(100).value();
    BOOST_TEST(it.pool.parent().used_bytes() == 4096u); // the first slab
    BOOST_TEST(it.pool.used_bytes() == 112u);
    const address large_block = it.pool.allocate(1025).value();
    BOOST_TEST(it.pool.parent().used_bytes() == 4096 + 5 * 256u);
    BOOST_TEST(it.pool.slab_bytes() == 4096u);
    BOOST_TEST(it.pool.used_bytes() == 112 + 5 * 256u);
    BOOST_TEST(it.pool.free_bytes() + it.pool.used_bytes() == (1 << 20) - 4096 % 112);
    BOOST_TEST((it.pool.owns(small_block) && it.pool.owns(large_block)));
    BOOST_TEST(!it.pool.owns(0x10));
    BOOST_TEST(it.pool.deallocate(small_block, 100).has_value());
    BOOST_TEST(it.pool.deallocate(large_block, 1025).has_value());
    BOOST_TEST(it.pool.used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(the_class_is_the_first_whose_blocks_are_large_and_aligned_enough) {
    using grid = size_class_grid<>;
    for (std::uint64_t bytes = 1; bytes <= 1100; ++bytes)
        for (std::uint64_t alignment = 1; alignment <= 128; alignment *= 2) {
            const std::size_t got = classes::class_of(bytes, alignment);
            std::size_t expected = classes::class_count;
            if (bytes <= 1024 && alignment <= 64)
                for (expected = 0; expected != classes::class_count; ++expected)
                    if (grid::bytes(expected) >= bytes && grid::bytes(expected) % alignment == 0)
                        break;
            test::check(got == expected);
        }
}

BOOST_AUTO_TEST_CASE(every_alignment_is_an_address_s) {
    scene it;
    test::allocator_life life(it.pool);
    for (std::uint64_t alignment = 1; alignment <= 1 << 14; alignment *= 2)
        for (const unsigned bytes : {1U, 16U, 48U, 80U, 100U, 112U, 576U, 1000U, 1024U, 5000U})
            for (int i = 0; i != 3; ++i)
                BOOST_TEST(life.allocate({bytes, alignment}).has_value());
}

BOOST_AUTO_TEST_CASE(slabs_double_up_to_the_largest_and_lie_at_multiples_of_the_first) {
    scene it;
    const auto blocks = blocks_of(it.pool, 1000, 48);
    const auto& slabs = it.pool.pool_of_class(2);
    std::vector<std::uint64_t> sizes;
    for (std::size_t i = 0; i != slabs.chunk_count(); ++i) {
        sizes.push_back(slabs.chunk_at(i).where.bytes);
        BOOST_TEST(slabs.chunk_at(i).where.base % small.first_slab_bytes == 0u);
    }
    const std::vector<std::uint64_t> expected{4096, 8192, 8192, 8192, 8192, 8192, 8192};
    BOOST_TEST(sizes == expected);
    BOOST_TEST(blocks_of(it.pool, 1, 1024).size() == 1u);
    BOOST_TEST(it.pool.pool_of_class(19).mapped_bytes() == 8 * 1024u); // eight blocks at least
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE(empty_slabs_go_back_but_for_one) {
    scene it;
    const auto blocks = blocks_of(it.pool, 1000, 48);
    const std::uint64_t taken = it.pool.slab_bytes();
    it.pool.deallocate_many(blocks, 48);
    BOOST_TEST(it.pool.slab_bytes() <= 8192u);
    BOOST_TEST(it.pool.slab_bytes() > 0u);
    BOOST_TEST(it.pool.parent().used_bytes() == it.pool.slab_bytes());
    BOOST_TEST(taken > it.pool.slab_bytes());
    const std::uint64_t calls = it.metadata.calls();
    for (int i = 0; i != 100; ++i) // a block that comes and goes alone does not map
        it.pool.deallocate_many(blocks_of(it.pool, 1, 48), 48);
    BOOST_TEST(it.metadata.calls() == calls);
    BOOST_TEST(it.pool.release_empty_slabs() > 0u);
    BOOST_TEST(it.pool.slab_bytes() == 0u);
    BOOST_TEST(it.pool.parent().used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(reset_gives_all_back) {
    scene it;
    (void)blocks_of(it.pool, 300, 48);
    BOOST_TEST(it.pool.allocate(100'000).has_value());
    it.pool.reset();
    BOOST_TEST(it.pool.used_bytes() == 0u);
    BOOST_TEST(it.pool.parent().used_bytes() == 0u);
    BOOST_TEST(it.pool.fragmentation() == 0.0);
    BOOST_TEST(it.mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(where_the_parent_has_no_slab_a_block_s_worth_will_do) {
    fake_space space;
    test::misuse_log mistakes;
    size_classes<numbers> pool({.on_misuse = mistakes.policy()}, static_granule<256>(),
                               fake_demand_paged(space));
    BOOST_TEST(pool.parent().add({.where = {0x100100, 1024}}).has_value());
    BOOST_TEST((pool.allocate(48).error().code == errc::out_of_memory)); // nothing is aligned
    BOOST_TEST(pool.parent().add({.where = {0x400000, 1024}}).has_value());
    BOOST_TEST(pool.allocate(48).value() == 0x400000u);
    pool.reset();
}

BOOST_AUTO_TEST_CASE(misuse_is_detected) {
    scene it;
    const address block = it.pool.allocate(100).value();
    BOOST_TEST((it.pool.deallocate(block, 200).error().code == errc::not_ours)); // another class
    BOOST_TEST((it.pool.deallocate(block + 16, 100).error().code == errc::not_a_block));
    BOOST_TEST((it.pool.deallocate(block, 2000).error().code == errc::wrong_size)); // of a slab
    const address large = it.pool.allocate(5000).value();
    BOOST_TEST((it.pool.deallocate(large, 100).error().code == errc::not_ours));
    BOOST_TEST(it.mistakes.seen.size() == 4u);
    it.pool.reset();
    BOOST_TEST((it.pool.allocate(0).error().code == errc::zero_size));
    BOOST_TEST((it.pool.allocate(10, 3).error().code == errc::bad_alignment));
    BOOST_TEST((it.pool.allocate(10, 0).error().code == errc::bad_alignment));
    BOOST_TEST((it.pool.allocate(~std::uint64_t{0}).error().code == errc::too_large));
}

BOOST_AUTO_TEST_CASE(every_failure_of_the_metadata_provider_leaves_a_working_pool) {
    for (std::uint64_t n = 1; n != 40; ++n) {
        test::misuse_log mistakes;
        test::counted_metadata metadata;
        {
            classes pool{pool_options{.growth = growth_policy::refill(1 << 20),
                                      .on_misuse = mistakes.policy(),
                                      .metadata = metadata}};
            metadata.fail_nth(n);
            test::live_through(pool, 300);
            BOOST_TEST(pool.used_bytes() == 0u);
        }
        BOOST_TEST(mistakes.seen.empty());
        BOOST_TEST(metadata.pieces_out() == 0u);
    }
}

BOOST_AUTO_TEST_CASE(lives_through_a_random_program) {
    scene it;
    test::live_through(it.pool, 30'000, {.longest = 20'000, .largest_alignment = 8192});
    BOOST_TEST(it.pool.used_bytes() == 0u);
    BOOST_TEST(it.mistakes.seen.empty());
}

BOOST_AUTO_TEST_SUITE_END()
