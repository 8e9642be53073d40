// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/compositions/retiring.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "support/bump_parent.hpp"
#include "support/in_child.hpp"
#include "support/misuse_log.hpp"
#include "support/thread_storm.hpp"

using namespace palloc;

namespace {

using shared = pool<static_granule<64>, native_memory, boundary<atomic>, first_fit, unprotected>;
using alone = pool<static_granule<64>, native_memory, boundary<indexed>, first_fit, unprotected>;
static_assert(pool_retires_drained_chunks<shared>);
static_assert(!pool_retires_drained_chunks<alone> && !pool_retires_drained_chunks<locked<alone>>);
static_assert(concurrent_allocator<retiring<shared>> && batch_allocator<retiring<shared>>);
static_assert(touchable_allocator<retiring<shared>>);

constexpr std::uint64_t page = 4096;

/// Four chunks of a page each, without blocks.
void peak(retiring<shared>& it) {
    std::array<address, 4> blocks{};
    BOOST_TEST(it.allocate_many(page, 1, blocks) == 4u);
    it.deallocate_many(blocks, page);
}

/// Does what it is told in the middle of a retirement.
struct interrupted : test::bump_parent {
    static constexpr bool is_concurrent = true;
    std::function<void()> meanwhile;

    std::uint64_t drain_empty_chunks(std::size_t) noexcept { return 0; }
    std::uint64_t retire_drained_chunks() noexcept {
        meanwhile();
        return 1;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(retiring_pools)

BOOST_AUTO_TEST_CASE(chunks_go_addresses_and_all) {
    retiring<shared> it(pool_options{.growth = growth_policy::refill(page)});
    peak(it);
    const address kept = it.allocate(page).value();
    BOOST_TEST(it.with(&shared::mapped_bytes) == 4 * page);
    BOOST_TEST(it.retire_empty_chunks(1) == 2 * page);
    BOOST_TEST(it.with(&shared::chunk_count) == 2u);
    BOOST_TEST(it.owns(kept));
    BOOST_TEST(it.deallocate(kept, page).has_value());
    BOOST_TEST(it.retire_empty_chunks() == 2 * page);
    BOOST_TEST(it.with(&shared::mapped_bytes) == 0u);
    BOOST_TEST(!it.owns(kept));
    BOOST_TEST(it.allocate(page).value() != 0u);
    (void)it.with([](shared& inner) {
        inner.reset();
        return 0;
    });
}

BOOST_AUTO_TEST_CASE(no_chunk_goes_while_a_call_is_under_way) {
    retiring<shared> it(pool_options{.growth = growth_policy::refill(page)});
    peak(it);
    it.with([&](shared& inner) {
        BOOST_TEST(it.retire_empty_chunks() == 0u);
        BOOST_TEST(inner.drained_chunks() == 4u);
        BOOST_TEST(inner.chunk_count() == 4u);
    });
    const address block = it.allocate(page).value(); // a drained chunk serves again
    BOOST_TEST(it.with(&shared::drained_chunks) == 3u);
    BOOST_TEST(it.retire_empty_chunks() == 3 * page);
    BOOST_TEST(it.deallocate(block, page).has_value());
}

BOOST_AUTO_TEST_CASE(answers_what_the_pool_answers) {
    test::misuse_log mistakes;
    retiring<shared> it(pool_options{
        .growth = growth_policy::refill(page), .cap_bytes = page, .on_misuse = mistakes.policy()});
    const address block = it.allocate(page).value();
    BOOST_TEST((it.allocate(1).error().code == errc::over_limit));
    BOOST_TEST((it.deallocate(block, 64).error().code == errc::wrong_size));
    BOOST_TEST(it.deallocate(block, page).has_value());
    BOOST_TEST(!it.owns(0x10));
}

BOOST_AUTO_TEST_CASE(chunks_go_while_threads_allocate) {
    test::misuse_log mistakes;
    retiring<shared> it(
        pool_options{.growth = growth_policy::refill(page), .on_misuse = mistakes.policy()});
    std::atomic<bool> done = false;
    std::atomic<bool> storming = false;
    std::atomic<std::uint64_t> gone_amid = 0;
    std::thread retirer([&] {
        while (!done) {
            const bool amid = storming;
            const std::uint64_t gone = it.retire_empty_chunks(1);
            gone_amid += amid && storming ? gone : 0;
        }
    });
    // It takes a moment at which no thread is in a call, which cannot be promised.
    for (int round = 0; round != 50 && gone_amid == 0; ++round) {
        storming = true;
        test::storm(it, 4, 20'000);
        storming = false;
    }
    BOOST_TEST(gone_amid >= page);
    peak(it);
    done = true;
    retirer.join();
    (void)it.retire_empty_chunks();
    BOOST_TEST(it.with(&shared::chunk_count) == 0u);
    BOOST_TEST(mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(calls_wait_while_chunks_go_and_only_one_thread_retires) {
    retiring<interrupted> it;
    std::atomic<bool> allocated = false;
    std::thread other;
    it.with([&](interrupted& inner) {
        inner.meanwhile = [&] {
            other = std::thread([&] { allocated = it.allocate(1).has_value(); });
            for (int i = 0; i != 1000; ++i)
                std::this_thread::yield();
            BOOST_TEST(!allocated);
        };
    });
    BOOST_TEST(it.retire_empty_chunks() == 1u);
    other.join();
    BOOST_TEST(allocated);
}

BOOST_AUTO_TEST_CASE(a_child_of_a_process_that_retires_is_refused) {
    test::needs_fork();
    retiring<interrupted> it;
    int refused = -1;
    it.with([&](interrupted& inner) {
        inner.meanwhile = [&] {
            refused = test::in_child([&] {
                const auto got = it.allocate(1);
                return !got && got.error().code == errc::not_supported && !it.owns(0) &&
                       it.deallocate(1, 1).error().code == errc::not_supported;
            });
        };
    });
    BOOST_TEST(it.retire_empty_chunks() == 1u);
    BOOST_TEST(refused == 0);
    BOOST_TEST(it.allocate(1).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
