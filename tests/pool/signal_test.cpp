// SPDX-License-Identifier: MIT
// Signal handlers that allocate from the very pool whose call they interrupt.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <pthread.h>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "models/bitmaps.hpp"
#include "support/granule_owners.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t granule = 64;
constexpr std::uint64_t chunk_bytes = 100 * granule;
constexpr address base = 0x100000000;
constexpr unsigned handlers_mark = 2;

template <class M>
struct is_shared : std::bool_constant<concurrent_bitmap<M>> {};
using shared_bitmaps = boost::mp11::mp_copy_if<test::bitmap_models, is_shared>;

/// What the handler works with: set before the signal can come.
template <class Bitmap>
struct scene {
    pool<static_granule<granule>, borrowed, Bitmap, best_fit, unprotected, concurrent_statistics>
        blocks{{.on_misuse = {count_misuse}}};
    test::granule_owners owners{{base, 400 * chunk_bytes}, granule};
    std::atomic<std::uint64_t> handled = 0;
    std::atomic<std::uint64_t> served = 0;
    std::atomic<std::uint64_t> wrong = 0;
};
template <class Bitmap>
scene<Bitmap>* current = nullptr;

/// Takes a block, or finds none; gives back what it has taken.
template <class Bitmap>
void handle(int) {
    scene<Bitmap>& it = *current<Bitmap>;
    const std::uint64_t bytes = 1 + it.handled.fetch_add(1) % 500;
    const auto got = it.blocks.allocate({.bytes = bytes, .may_map = false});
    if (!got)
        return;
    it.served.fetch_add(1);
    it.owners.take(*got, bytes, handlers_mark);
    it.wrong.fetch_add(it.blocks.owns(*got) ? 0 : 1);
    it.owners.give(*got, bytes, handlers_mark);
    it.wrong.fetch_add(it.blocks.deallocate(*got, bytes).has_value() ? 0 : 1);
}

} // namespace

BOOST_AUTO_TEST_SUITE(signals)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_handler_allocates_whatever_it_interrupts, Bitmap, shared_bitmaps) {
    const std::uint64_t signals = std::getenv("PALLOC_FULL") == nullptr ? 500 : 10'000;
    scene<Bitmap> it;
    current<Bitmap> = &it;
    BOOST_TEST(it.blocks.add({.where = {base, chunk_bytes}}).has_value());

    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = &handle<Bitmap>;
    BOOST_TEST_REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);

    std::atomic<bool> done = false;
    std::atomic<std::uint64_t> wrong = 0;
    std::thread interrupted([&] {
        test::random_source random;
        std::vector<std::pair<address, std::uint64_t>> mine;
        std::uint64_t chunks = 1;
        while (!done) {
            if (random.chance(1) && chunks != 400) { // while a chunk is added, too
                const range where{base + chunks++ * chunk_bytes, chunk_bytes};
                wrong += it.blocks.add({.where = where}).has_value() ? 0U : 1U;
            } else if (mine.size() < 60 && random.chance(60)) {
                const std::uint64_t bytes = random.between(1, 900);
                if (const auto got = it.blocks.allocate(bytes)) {
                    it.owners.take(*got, bytes, 1);
                    mine.emplace_back(*got, bytes);
                }
            } else if (!mine.empty()) {
                std::swap(mine[random.below(mine.size())], mine.back());
                it.owners.give(mine.back().first, mine.back().second, 1);
                wrong += it.blocks.deallocate(mine.back().first, mine.back().second) ? 0U : 1U;
                mine.pop_back();
            }
        }
        for (const auto& [block, bytes] : mine)
            wrong += it.blocks.deallocate(block, bytes) ? 0U : 1U;
    });
    while (it.handled < signals) {
        pthread_kill(interrupted.native_handle(), SIGUSR1);
        std::this_thread::yield();
    }
    done = true;
    interrupted.join();
    sigaction(SIGUSR1, &before, nullptr);

    BOOST_TEST(wrong == 0u);
    BOOST_TEST(it.wrong == 0u);
    BOOST_TEST(it.owners.wrong() == 0u);
    BOOST_TEST(it.served > signals / 2);
    BOOST_TEST(it.blocks.used_bytes() == 0u);
    BOOST_TEST(it.blocks.misuse_count() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
