// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/compositions/magazine.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>

#include "support/allocator_life.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

using plain = pool<static_granule<64>, fake_demand_paged, flat, first_fit, unprotected>;
using front = magazine<plain, 8>;
static_assert(block_allocator<front> && !concurrent_allocator<front>);

constexpr address base = 0x10000;
constexpr std::uint64_t size = 64;

/// A magazine for 8 blocks in front of a pool for 64.
struct scene {
    fake_space space;
    test::misuse_log mistakes;
    front pool{layout{size, size}, pool_options{.on_misuse = mistakes.policy()},
               static_granule<64>(), fake_demand_paged(space)};

    scene() { BOOST_TEST_REQUIRE(pool.pool().add({.where = {base, 4096}}).has_value()); }
    address take() { return pool.allocate(size).value(); }
    [[nodiscard]] std::uint64_t used_by_pool() const { return pool.pool().used_bytes() / size; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(magazines)

BOOST_AUTO_TEST_CASE(blocks_come_in_the_order_of_the_pool_half_a_stack_at_a_time) {
    scene it;
    for (std::uint64_t i = 0; i != 10; ++i)
        BOOST_TEST(it.take() == base + i * size);
    BOOST_TEST(it.used_by_pool() == 12u);
    BOOST_TEST(it.pool.kept() == 2u);
    for (std::uint64_t i = 10; i-- != 0;)
        BOOST_TEST(it.pool.deallocate(base + i * size, size).has_value());
}

BOOST_AUTO_TEST_CASE(the_block_that_came_last_goes_first) {
    scene it;
    const address first = it.take();
    const address second = it.take();
    BOOST_TEST(it.pool.deallocate(first, size).has_value());
    BOOST_TEST(it.pool.deallocate(second, size).has_value());
    BOOST_TEST(it.take() == second);
    BOOST_TEST(it.take() == first);
    BOOST_TEST(it.pool.deallocate(first, size).has_value());
    BOOST_TEST(it.pool.deallocate(second, size).has_value());
}

BOOST_AUTO_TEST_CASE(a_full_stack_gives_its_older_half_back) {
    scene it;
    for (int i = 0; i != 12; ++i)
        (void)it.take();
    for (std::uint64_t i = 0; i != 8; ++i)
        BOOST_TEST(it.pool.deallocate(base + i * size, size).has_value());
    BOOST_TEST(it.used_by_pool() == 12u);
    BOOST_TEST(it.pool.deallocate(base + 8 * size, size).has_value());
    BOOST_TEST(it.used_by_pool() == 8u);
    BOOST_TEST(it.pool.kept() == 5u);
    BOOST_TEST(it.take() == base + 8 * size);
    for (std::uint64_t i = 8; i != 12; ++i)
        BOOST_TEST(it.pool.deallocate(base + i * size, size).has_value());
    it.pool.flush();
    BOOST_TEST(it.pool.kept() == 0u);
    BOOST_TEST(it.used_by_pool() == 0u);
}

BOOST_AUTO_TEST_CASE(other_requests_go_to_the_pool) {
    scene it;
    const address large = it.pool.allocate(65).value();
    BOOST_TEST(it.used_by_pool() == 2u);
    const address aligned = it.pool.allocate(size, 128).value();
    BOOST_TEST(aligned % 128 == 0u);
    BOOST_TEST(it.pool.kept() == 0u);
    BOOST_TEST(it.pool.deallocate(large, 65).has_value());
    BOOST_TEST(it.pool.deallocate(aligned, size, 128).has_value());
    BOOST_TEST(it.used_by_pool() == 0u);
    const address small = it.pool.allocate(1, 4).value(); // one of the one size
    BOOST_TEST(it.used_by_pool() == 4u);
    BOOST_TEST(it.pool.deallocate(small, 1, 4).has_value());
    BOOST_TEST(it.pool.kept() == 4u);
    BOOST_TEST((it.pool.allocate(0).error().code == errc::zero_size));
    BOOST_TEST((it.pool.allocate(8, 3).error().code == errc::bad_alignment));
}

BOOST_AUTO_TEST_CASE(what_the_pool_still_has_is_handed_out_before_it_is_full) {
    scene it;
    for (int i = 0; i != 64; ++i)
        BOOST_TEST(it.pool.allocate(size).has_value());
    BOOST_TEST((it.pool.allocate(size).error().code == errc::out_of_memory));
    for (std::uint64_t i = 0; i != 64; ++i)
        BOOST_TEST(it.pool.deallocate(base + i * size, size).has_value());
}

BOOST_AUTO_TEST_CASE(freeing_the_top_again_is_detected_at_once) {
    scene it;
    const address block = it.take();
    BOOST_TEST(it.pool.deallocate(block, size).has_value());
    BOOST_TEST((it.pool.deallocate(block, size).error().code == errc::double_free));
    BOOST_TEST(it.mistakes.seen.size() == 1u);
    BOOST_TEST(it.take() != block + size * 64); // and nothing is handed out twice:
    it.pool.flush();
    BOOST_TEST(it.used_by_pool() == 1u);
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE(freeing_a_deeper_one_again_is_detected_when_the_pool_gets_it) {
    scene it;
    const address first = it.take();
    const address second = it.take();
    for (const address block : {first, second, first})
        BOOST_TEST(it.pool.deallocate(block, size).has_value());
    BOOST_TEST(it.mistakes.seen.empty());
    it.pool.flush();
    BOOST_TEST(it.mistakes.seen.size() == 1u);
    BOOST_TEST((it.mistakes.seen.at(0).what == errc::double_free));
    BOOST_TEST(it.used_by_pool() == 0u);
}

BOOST_AUTO_TEST_CASE(foreign_and_interior_addresses_are_detected_when_the_pool_gets_them) {
    scene it;
    const address block = it.take();
    BOOST_TEST(it.pool.deallocate(0x999000, size).has_value());
    BOOST_TEST(it.pool.deallocate(block + 8, size).has_value());
    it.pool.flush();
    BOOST_TEST(it.mistakes.seen.size() == 2u);
    BOOST_TEST((it.mistakes.seen.at(0).what == errc::not_ours));
    BOOST_TEST((it.mistakes.seen.at(1).what == errc::not_a_block));
    BOOST_TEST(it.pool.deallocate(block, size).has_value());
}

BOOST_AUTO_TEST_CASE(reset_drops_the_stack_too) {
    scene it;
    const address block = it.take();
    it.pool.reset();
    BOOST_TEST(it.pool.kept() == 0u);
    BOOST_TEST(it.take() == block);
    it.pool.reset();
    BOOST_TEST(it.mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(lives_through_a_random_program) {
    test::misuse_log mistakes;
    {
        magazine<pool<static_granule<64>, native_memory, flat, first_fit, unprotected>> pool(
            layout{64, 64},
            pool_options{.growth = growth_policy::refill(1 << 16), .on_misuse = mistakes.policy()});
        test::live_through(pool, 20'000, {.longest = 200, .largest_alignment = 128});
        pool.flush();
        BOOST_TEST(pool.pool().used_bytes() == 0u);
    }
    BOOST_TEST(mistakes.seen.empty());
}

BOOST_AUTO_TEST_SUITE_END()
