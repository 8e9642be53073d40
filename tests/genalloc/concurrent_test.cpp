// SPDX-License-Identifier: MIT
// One genalloc, many threads and a signal handler: no byte is anybody's twice, and none is lost.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/first_fit_order_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/genalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#if !defined(_WIN32)
#include <csignal>
#include <pthread.h>
#endif

#include "support/random.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

constexpr unsigned order = 6;
constexpr std::uint64_t granule = 1 << order;
constexpr address base = 0x100000000;
constexpr std::uint64_t chunk_granules = 5000;
constexpr std::uint64_t chunk_bytes = chunk_granules * granule;
constexpr std::size_t most_chunks = 6;

/// Who holds each granule: 0 nobody. All that is shared beside the pool.
class shadow {
  public:
    /// Whether all granules of the block were nobody's.
    bool take(address block, std::uint64_t bytes, unsigned who) {
        bool alone = true;
        each(block, bytes, [&](auto& mark) {
            alone = mark.exchange(who, std::memory_order_relaxed) == 0 && alone;
        });
        return alone;
    }
    /// Whether all were still `who`'s.
    bool give(address block, std::uint64_t bytes, unsigned who) {
        bool alone = true;
        each(block, bytes, [&](auto& mark) {
            alone = mark.exchange(0, std::memory_order_relaxed) == who && alone;
        });
        return alone;
    }

  private:
    template <class F>
    void each(address block, std::uint64_t bytes, F&& f) {
        const auto first = static_cast<std::size_t>((block - base) / granule);
        for (std::size_t i = 0; i != (bytes + granule - 1) / granule; ++i)
            f(marks_[first + i]);
    }

    std::array<std::atomic<unsigned>, chunk_granules * most_chunks> marks_{};
};

struct block {
    address where;
    std::uint64_t bytes;
};

/// Of the chunks, the even ones come from below and the odd ones from above.
address base_of(std::size_t chunk) {
    const std::size_t place = chunk % 2 == 0 ? chunk / 2 : most_chunks - 1 - chunk / 2;
    return base + place * chunk_bytes;
}

/// A pool with two chunks, and its shadow.
struct scene {
    genalloc pool{{.order = order, .on_misuse = {count_misuse}}};
    std::unique_ptr<shadow> marks = std::make_unique<shadow>();
    std::size_t chunks = 0;
    std::atomic<bool> right = true;

    scene() {
        add_chunk();
        add_chunk();
    }
    void add_chunk() { check(pool.add(base_of(chunks++), chunk_bytes).has_value()); }
    void check(bool as_it_should_be) {
        if (!as_it_should_be)
            right = false;
    }

    std::optional<block> allocate(test::random_source& random, unsigned who) {
        const std::uint64_t bytes = 1 + random.below((random.chance(90) ? 8 : 200) * granule);
        const auto got = random.chance(70)   ? pool.alloc(bytes)
                         : random.chance(50) ? pool.alloc(bytes, best_fit{})
                         : random.chance(50) ? pool.alloc(bytes, first_fit_align(1024))
                                             : pool.alloc(bytes, first_fit_order_align{});
        if (!got)
            return std::nullopt;
        check(marks->take(*got, bytes, who));
        return block{*got, bytes};
    }
    void release(block gone, unsigned who) {
        check(marks->give(gone.where, gone.bytes, who));
        check(pool.free(gone.where, gone.bytes).has_value());
    }

    /// Allocates and frees, and leaves some blocks.
    std::vector<block> work(unsigned who, int steps) {
        test::random_source random(who);
        std::vector<block> live;
        for (int i = 0; i != steps; ++i) {
            if (const auto fresh = allocate(random, who))
                live.push_back(*fresh);
            while (live.size() > 150 + 150 * random.below(2)) {
                std::swap(live[random.below(live.size())], live.back());
                release(live.back(), who);
                live.pop_back();
            }
        }
        return live;
    }
};

std::uint64_t granules_of(const std::vector<block>& live) {
    std::uint64_t sum = 0;
    for (const block& each : live)
        sum += (each.bytes + granule - 1) / granule;
    return sum;
}

constexpr std::size_t algorithms = 5;

/// A block by the kernel's algorithm of that number.
template <class Pool>
result<address> allocate_by(std::size_t algorithm, Pool& pool, std::uint64_t bytes,
                            std::uint64_t offset) {
    switch (algorithm) {
    case 0:
        return pool.alloc(bytes);
    case 1:
        return pool.alloc(bytes, best_fit{});
    case 2:
        return pool.alloc(bytes, first_fit_align(8 * granule));
    case 3:
        return pool.alloc(bytes, first_fit_order_align{});
    default:
        return pool.alloc(bytes, fixed(offset));
    }
}

/// At rest the pool places as one over `flat` does that holds the same blocks.
void places_as_flat(scene& s, std::vector<block> live) {
    basic_genalloc<flat> expected({.order = order, .on_misuse = {count_misuse}});
    for (std::size_t i = 0; i != s.chunks; ++i)
        BOOST_TEST_REQUIRE(expected.add(base_of(i), chunk_bytes).has_value());
    for (const block& each : live) {
        const std::uint64_t whole = (each.bytes + granule - 1) / granule * granule;
        BOOST_TEST_REQUIRE(
            expected.as_pool().allocate({.bytes = whole, .within = {each.where, whole}}).value() ==
            each.where);
    }
    test::random_source random(99);
    std::array<int, algorithms> served_by{};
    for (int i = 0; i != 3000; ++i) {
        const std::uint64_t bytes = 1 + random.below(40 * granule);
        const std::size_t algorithm = random.below(algorithms);
        const std::uint64_t offset = random.below(chunk_granules) * granule;
        const auto got = allocate_by(algorithm, s.pool, bytes, offset);
        const auto wanted = allocate_by(algorithm, expected, bytes, offset);
        BOOST_TEST_REQUIRE(got.has_value() == wanted.has_value());
        if (got) {
            BOOST_TEST_REQUIRE(*got == *wanted);
            ++served_by[algorithm];
            live.push_back({*got, bytes});
        }
        if (random.chance(60) && !live.empty()) {
            std::swap(live[random.below(live.size())], live.back());
            BOOST_TEST_REQUIRE(s.pool.free(live.back().where, live.back().bytes).has_value());
            BOOST_TEST_REQUIRE(expected.free(live.back().where, live.back().bytes).has_value());
            live.pop_back();
        }
    }
    for (const block& each : live)
        BOOST_TEST_REQUIRE(s.pool.free(each.where, each.bytes).has_value());
    BOOST_TEST(s.pool.avail() == s.pool.size());
    for (const int served : served_by)
        BOOST_TEST(served > 0);
}

BOOST_AUTO_TEST_SUITE(one_pool_for_many)

BOOST_AUTO_TEST_CASE(threads_share_a_pool_that_grows) {
    scene s;
    std::array<std::vector<block>, 4> left;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t != left.size(); ++t)
        threads.emplace_back([&s, &left, t] { left[t] = s.work(t + 1, 20000); });
    for (std::size_t i = 2; i != most_chunks; ++i) { // meanwhile
        std::this_thread::yield();
        s.add_chunk();
    }
    for (std::thread& each : threads)
        each.join();
    BOOST_TEST(s.right);
    std::vector<block> live;
    for (const auto& each : left)
        live.insert(live.end(), each.begin(), each.end());
    BOOST_TEST(s.pool.size() == most_chunks * chunk_bytes);
    BOOST_TEST(s.pool.avail() == s.pool.size() - granules_of(live) * granule);
    BOOST_TEST(s.pool.as_pool().misuse_count() == 0u);
    places_as_flat(s, live);
}

// ---------------------------------------------------------------- signals

#if defined(_WIN32)
BOOST_AUTO_TEST_CASE(a_handler_allocates_in_the_middle_of_an_allocation) {
    test::skip("there are no signals");
}
#else
scene* interrupted = nullptr;
std::atomic<int> handled = 0;
std::atomic<int> served = 0;

extern "C" void allocate_in_handler(int) {
    constexpr unsigned who = 1000;
    const std::uint64_t bytes = 300 * granule; // of several words, like much of what it interrupts
    if (const auto got = interrupted->pool.alloc(bytes)) {
        interrupted->check(interrupted->marks->take(*got, bytes, who));
        interrupted->release({*got, bytes}, who);
        ++served;
    }
    ++handled;
}

BOOST_AUTO_TEST_CASE(a_handler_allocates_in_the_middle_of_an_allocation) {
    scene s;
    interrupted = &s;
    handled = 0;
    served = 0;
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = allocate_in_handler;
    sigaction(SIGUSR1, &action, &before);
    std::vector<block> left;
    std::atomic<bool> enough = false;
    std::thread worker([&] {
        while (!enough) {
            for (const block& each : left)
                s.release(each, 1);
            left = s.work(1, 500);
        }
    });
    for (int i = 0; i != 3000; ++i) {
        const int so_far = handled;
        pthread_kill(worker.native_handle(), SIGUSR1);
        while (handled == so_far)
            std::this_thread::yield();
    }
    enough = true;
    worker.join();
    sigaction(SIGUSR1, &before, nullptr);
    BOOST_TEST(s.right);
    BOOST_TEST(served > 0);
    BOOST_TEST(s.pool.avail() == s.pool.size() - granules_of(left) * granule);
    places_as_flat(s, left);
}
#endif

// ---------------------------------------------------------------- the algorithm changes meanwhile

/// Which of the functions was asked, with which data: the two must belong together.
std::atomic<bool> torn = false;
std::array<std::atomic<int>, 3> asked{};

template <int Number>
struct marked_fit {
    int data;

    std::optional<std::size_t> operator()(const atomic& map, const placement& q) const {
        if (data != Number)
            torn = true;
        ++asked[static_cast<std::size_t>(Number)];
        return map.find_fit(q);
    }
};

BOOST_AUTO_TEST_CASE(set_algo_never_tears_function_from_data) {
    static constexpr choice_of<marked_fit<0>, atomic> zero({0});
    static constexpr choice_of<marked_fit<1>, atomic> one({1});
    static constexpr choice_of<marked_fit<2>, atomic> two({2});
    torn = false;
    scene s;
    s.pool.set_algo(zero);
    std::atomic<int> working = 3;
    std::vector<std::thread> threads;
    for (unsigned t = 0; t != 3; ++t)
        threads.emplace_back([&, t] {
            for (const block& each : s.work(t + 1, 5000))
                s.release(each, t + 1);
            --working;
        });
    while (working != 0) {
        s.pool.set_algo(zero);
        s.pool.set_algo(one);
        s.pool.set_algo();
        s.pool.set_algo(two);
        std::this_thread::yield();
    }
    for (std::thread& each : threads)
        each.join();
    BOOST_TEST(!torn);
    BOOST_TEST(s.right);
    BOOST_TEST(asked[0] + asked[1] + asked[2] > 0);
    BOOST_TEST(s.pool.avail() == s.pool.size());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
