// SPDX-License-Identifier: MIT
// One pool and many threads: while chunks come, while it is nearly full, while others do wrong.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/spread.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/concepts/observer.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "models/bitmaps.hpp"
#include "support/granule_owners.hpp"
#include "support/misuse_log.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t granule = 64;
constexpr std::uint64_t page = 4096;
constexpr address base = 0x100000000;

template <class M>
struct is_shared : std::bool_constant<concurrent_bitmap<M>> {};
using shared_bitmaps = boost::mp11::mp_copy_if<test::bitmap_models, is_shared>;

template <class Bitmap, class Algorithm = first_fit, class Backing = borrowed>
using shared_pool =
    pool<static_granule<granule>, Backing, Bitmap, Algorithm, unprotected, concurrent_statistics>;

int times(int usually) {
    return std::getenv("PALLOC_FULL") == nullptr ? usually : 20 * usually;
}

/// Runs `work(number)` on so many threads.
template <class Work>
void on_threads(unsigned count, Work&& work) {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i != count; ++i)
        threads.emplace_back([&work, i] { work(i + 1); });
    for (std::thread& each : threads)
        each.join();
}

/// What one thread does with a pool: allocates, marks, asks whose it is, frees, all at random. At
/// the end nothing of it is left. Answers how many calls failed that should not have.
template <class Pool>
std::size_t live_on(Pool& pool, test::granule_owners& owners, unsigned who, int steps) {
    struct block {
        address where;
        std::uint64_t bytes;
    };
    test::random_source random(who);
    std::vector<block> mine;
    std::size_t refused = 0;
    const auto give_back = [&] {
        std::swap(mine[random.below(mine.size())], mine.back());
        const block gone = mine.back();
        mine.pop_back();
        owners.give(gone.where, gone.bytes, who);
        refused += pool.owns(gone.where + gone.bytes - 1) ? 0U : 1U;
        refused += pool.deallocate(gone.where, gone.bytes).has_value() ? 0U : 1U;
    };
    for (int step = 0; step != steps; ++step) {
        if (mine.empty() || random.below(80) >= mine.size()) {
            const std::uint64_t bytes = random.between(1, random.chance(90) ? 4 * granule : page);
            if (const auto got = pool.allocate(bytes, random.chance(80) ? 1 : 256)) {
                owners.take(*got, bytes, who);
                mine.push_back({*got, bytes});
            }
        } else {
            give_back();
        }
    }
    while (!mine.empty())
        give_back();
    return refused;
}

/// Lets another thread do something as soon as a chunk has come.
struct on_new_chunk {
    static constexpr bool is_concurrent = true;
    std::function<void()>* meanwhile;

    void on(const event& happened) noexcept {
        if (happened.what == event::kind::add_chunk)
            std::thread(*meanwhile).join();
    }
};

/// Nothing is live, and the accounts say so.
template <class Pool>
void check_at_rest(Pool& pool) {
    auto& counted = pool.template observer<concurrent_statistics>();
    BOOST_TEST(pool.used_bytes() == 0u);
    BOOST_TEST(pool.free_bytes() == pool.capacity_bytes());
    BOOST_TEST(pool.fragmentation() <= 1.0);
    BOOST_TEST(counted.live_blocks() == 0u);
    BOOST_TEST(counted.live_bytes() == 0u);
    BOOST_TEST(counted.allocations() == counted.releases());
    BOOST_TEST(pool.misuse_count() == 0u);
}

} // namespace

BOOST_AUTO_TEST_SUITE(shared_pools)

BOOST_AUTO_TEST_CASE_TEMPLATE(chunks_come_while_threads_work, Bitmap, shared_bitmaps) {
    constexpr std::uint64_t chunks = 300; // the table of chunks grows six times
    for (int round = 0; round != times(3); ++round) {
        test::granule_owners owners({base, chunks * 4 * page}, granule);
        shared_pool<Bitmap> pool({.on_misuse = {count_misuse}});
        const auto add = [&](std::uint64_t i) { // by turns from below and from above
            const std::uint64_t place = i % 2 == 0 ? i / 2 : chunks - 1 - i / 2;
            return pool.add({.where = {base + place * 4 * page, 4 * page}}).has_value();
        };
        BOOST_TEST_REQUIRE(add(0));
        std::atomic<std::size_t> wrong = 0;
        on_threads(4, [&](unsigned who) {
            if (who == 4)
                for (std::uint64_t i = 1; i != chunks; ++i) {
                    wrong += add(i) ? 0U : 1U;
                    std::this_thread::yield();
                }
            else
                wrong += live_on(pool, owners, who, 6'000);
        });
        BOOST_TEST(wrong == 0u); // a free that is right is never answered not_ours
        BOOST_TEST(owners.wrong() == 0u);
        BOOST_TEST(pool.chunk_count() == chunks);
        check_at_rest(pool);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_pool_grows_for_whoever_lacks_room, Bitmap, shared_bitmaps) {
    for (int round = 0; round != times(3); ++round) {
        fake_space space;
        const std::uint64_t cap = 64 * page;
        test::granule_owners owners({0, 400 * page}, granule);
        shared_pool<Bitmap, spread, fake> pool({.growth = growth_policy::refill(4 * page),
                                                .cap_bytes = cap,
                                                .on_misuse = {count_misuse}},
                                               {}, fake(space));
        std::atomic<std::size_t> wrong = 0;
        on_threads(4, [&](unsigned who) { wrong += live_on(pool, owners, who, 3'000); });
        BOOST_TEST(wrong == 0u);
        BOOST_TEST(owners.wrong() == 0u);
        BOOST_TEST(pool.mapped_bytes() <= cap);
        BOOST_TEST(space.mapped_bytes() == pool.mapped_bytes());
        BOOST_TEST(space.committed_bytes() == 0u);
        check_at_rest(pool);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_makes_the_pool_grow_is_served_first, Bitmap, shared_bitmaps) {
    fake_space space;
    std::function<void()> others;
    pool<static_granule<granule>, fake, Bitmap, first_fit, unprotected, on_new_chunk> pool(
        {.growth = growth_policy::refill(page)}, {}, fake(space), {}, {}, on_new_chunk{&others});
    int taken = 0;
    others = [&] { taken += pool.allocate({.bytes = granule, .may_map = false}).has_value(); };
    const auto whole = pool.allocate(page);
    const auto most = pool.allocate(page - granule);
    BOOST_TEST((whole && most));
    BOOST_TEST(taken == 1);
    pool.reset();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nobody_is_refused_what_is_free, Bitmap, shared_bitmaps) {
    // Two threads, each holding at most one block of a pool of two: there is always one free. A
    // block that is longer than a word may be half given back for as long as its thread is stopped;
    // so who is refused one waits until the other has gone on, and that must be rare.
    for (const std::uint64_t granules : {1u, 7u, 32u, 1'000u}) {
        shared_pool<Bitmap> pool({.on_misuse = {count_misuse}});
        BOOST_TEST(pool.add({.where = {base, 2 * granules * granule}}).has_value());
        std::atomic<std::size_t> refused = 0;
        std::atomic<std::size_t> wrong = 0;
        std::array<std::atomic<int>, 2> steps{};
        const int attempts = times(granules > 64 ? 5'000 : 150'000);
        on_threads(2, [&](unsigned who) {
            const std::atomic<int>& other = steps[2 - who];
            for (int i = 0; i != attempts; ++i) {
                const int before = other;
                const auto got = pool.allocate(granules * granule);
                wrong += got ? (pool.deallocate(*got, granules * granule) ? 0U : 1U)
                             : (got.error().code == errc::out_of_memory ? 0U : 1U);
                ++steps[who - 1];
                refused += got ? 0U : 1U;
                while (!got && other == before && other != attempts)
                    std::this_thread::yield();
            }
        });
        constexpr std::size_t one_in = 100;
        BOOST_TEST((granules > 64 ? refused * one_in <= 2U * static_cast<unsigned>(attempts)
                                  : refused == 0u),
                   refused << " refused " << granules << " granules");
        BOOST_TEST(wrong == 0u);
        check_at_rest(pool);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_lost_race_is_not_a_refusal_for_other_algorithms, Bitmap,
                              shared_bitmaps) {
    shared_pool<Bitmap, best_fit> pool({.on_misuse = {count_misuse}});
    BOOST_TEST(pool.add({.where = {base, 4 * 8 * granule}}).has_value());
    std::atomic<std::size_t> failures = 0;
    on_threads(4, [&](unsigned) { // four blocks, three of them in use at most when one is asked
        for (int i = 0; i != times(30'000); ++i) {
            const auto got = pool.allocate(8 * granule);
            failures += got && pool.deallocate(*got, 8 * granule) ? 0U : 1U;
        }
    });
    BOOST_TEST(failures == 0u);
    check_at_rest(pool);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(of_two_that_free_a_block_one_is_told, Bitmap, shared_bitmaps) {
    shared_pool<Bitmap> pool({.on_misuse = {count_misuse}});
    BOOST_TEST(pool.add({.where = {base, page}}).has_value());
    const int rounds = times(20'000);
    for (const std::uint64_t bytes : {granule, 5 * granule}) {
        std::atomic<int> freed = 0;
        address block = 0;
        std::barrier both(2);
        on_threads(2, [&](unsigned who) {
            for (int round = 0; round != rounds; ++round) {
                if (who == 1)
                    block = pool.allocate(bytes).value();
                both.arrive_and_wait();
                freed += pool.deallocate(block, bytes).has_value() ? 1 : 0;
                both.arrive_and_wait();
            }
        });
        BOOST_TEST(freed == rounds);
        BOOST_TEST(pool.used_bytes() == 0u);
    }
    BOOST_TEST(pool.misuse_count() == 2u * static_cast<unsigned>(rounds));
}

BOOST_AUTO_TEST_SUITE_END()
