// SPDX-License-Identifier: MIT
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/compositions/thread_cache.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "support/counted_metadata.hpp"
#include "support/misuse_log.hpp"
#include "support/thread_storm.hpp"

using namespace palloc;

namespace {

using heap = pool<static_granule<16>, native_memory, boundary<indexed>, best_fit, unprotected>;
template <std::size_t Stripes>
using front = thread_cache<locked<heap>, rack_options{}, Stripes>;
static_assert(concurrent_allocator<front<4>> && touchable_allocator<front<4>>);

template <std::size_t Stripes = 4>
struct scene {
    test::misuse_log mistakes;
    test::counted_metadata metadata;
    front<Stripes> pool{pool_options{.growth = growth_policy::refill(1 << 20),
                                     .on_misuse = mistakes.policy(),
                                     .metadata = metadata}};

    std::uint64_t used_by_pool() { return pool.pool().with(&heap::used_bytes); }
};

template <class F>
void in_another_thread(F&& f) {
    std::thread(f).join();
}

} // namespace

BOOST_AUTO_TEST_SUITE(caches)

BOOST_AUTO_TEST_CASE(a_thread_has_magazines_of_its_own) {
    scene it;
    const address mine = it.pool.allocate(64).value();
    BOOST_TEST(it.pool.deallocate(mine, 64).has_value());
    address theirs = 0;
    in_another_thread([&] { theirs = it.pool.allocate(64).value(); });
    BOOST_TEST(theirs != mine);
    BOOST_TEST(it.pool.allocate(64).value() == mine);
    BOOST_TEST(it.pool.deallocate(mine, 64).has_value());
    BOOST_TEST(it.pool.deallocate(theirs, 64).has_value()); // by another than its own
    BOOST_TEST(it.pool.allocate(64).value() == theirs);     // and that one has it now
    BOOST_TEST(it.pool.deallocate(theirs, 64).has_value());
}

BOOST_AUTO_TEST_CASE(storage_is_taken_for_threads_that_come) {
    scene it;
    const std::size_t before = it.metadata.pieces_out();
    const address first = it.pool.allocate(64).value();
    const std::size_t for_the_first = it.metadata.pieces_out();
    BOOST_TEST(for_the_first > before);
    in_another_thread([&] { BOOST_TEST(it.pool.deallocate(first, 64).has_value()); });
    BOOST_TEST(it.metadata.pieces_out() == for_the_first + 1);
}

BOOST_AUTO_TEST_CASE(without_storage_all_goes_to_the_pool) {
    scene it;
    it.metadata.fail_nth(1);
    const address block = it.pool.allocate(60).value();
    BOOST_TEST(it.used_by_pool() == 64u);
    it.metadata.fail_nth(1);
    BOOST_TEST(it.pool.deallocate(block, 60).has_value());
    BOOST_TEST(it.used_by_pool() == 0u);
}

BOOST_AUTO_TEST_CASE(other_requests_go_to_the_pool) {
    scene it;
    const address large = it.pool.allocate(5000).value();
    const address aligned = it.pool.allocate(64, 64).value();
    BOOST_TEST(aligned % 64 == 0u);
    BOOST_TEST(it.used_by_pool() == 5008 + 64u);
    BOOST_TEST(it.pool.deallocate(large, 5000).has_value());
    BOOST_TEST(it.pool.deallocate(aligned, 64, 64).has_value());
    BOOST_TEST(it.used_by_pool() == 0u);
    BOOST_TEST((it.pool.allocate(0).error().code == errc::zero_size));
    BOOST_TEST((it.pool.allocate(8, 3).error().code == errc::bad_alignment));
}

BOOST_AUTO_TEST_CASE(flush_empties_the_magazines_of_all) {
    scene it;
    const address mine = it.pool.allocate(64).value();
    in_another_thread([&] {
        const address theirs = it.pool.allocate(64).value();
        BOOST_TEST(it.pool.deallocate(theirs, 64).has_value());
    });
    BOOST_TEST(it.pool.deallocate(mine, 64).has_value());
    BOOST_TEST(it.used_by_pool() > 0u);
    it.pool.flush();
    BOOST_TEST(it.used_by_pool() == 0u);
}

BOOST_AUTO_TEST_CASE(more_threads_than_stripes_share_it) {
    scene<2> it;
    test::storm(it.pool, 5, 5'000);
    it.pool.flush();
    BOOST_TEST(it.used_by_pool() == 0u);
    BOOST_TEST(it.mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(threads_may_flush_meanwhile) {
    scene it;
    std::atomic<bool> done = false;
    std::thread flusher([&] {
        while (!done)
            it.pool.flush();
    });
    test::storm(it.pool, 3, 3'000);
    done = true;
    flusher.join();
    it.pool.flush();
    BOOST_TEST(it.used_by_pool() == 0u);
    BOOST_TEST(it.mistakes.seen.empty());
}

BOOST_AUTO_TEST_SUITE_END()
