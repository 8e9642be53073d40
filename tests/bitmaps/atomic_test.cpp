// SPDX-License-Identifier: MIT
#include <palloc/bitmaps/atomic.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "bitmaps/owned_bitmap.hpp"
#include "support/model_bitmap.hpp"
#include "support/random.hpp"

namespace {

using namespace palloc;
using namespace palloc::test;

using summary = detail::atomic_summary<std::atomic>;

constexpr std::size_t sizes[] = {1, 63, 64, 65, 511, 512, 513, 4097, 40'000};

/// A request that may be unaligned, aligned, or confined to a part of the chunk.
placement any_request(random_source& random, std::size_t size) {
    placement q{.count = random.between(1, random.chance(80) ? 70 : size), .limit = size};
    if (random.chance(30)) {
        q.mask = (std::size_t{1} << random.below(8)) - 1;
        q.phase = random.below(q.mask + 1);
    }
    if (random.chance(30))
        q.from = random.below(size + 1);
    if (random.chance(30))
        q.limit = random.below(size + 1);
    return q;
}

BOOST_AUTO_TEST_CASE(answers_like_the_model) {
    for (const std::size_t size : sizes) {
        random_source random(size);
        owned_bitmap<atomic> it(size);
        owned_bitmap<model_bitmap> expected(size);
        std::vector<granule_run> live;
        BOOST_TEST_CONTEXT(random << ", size " << size) {
            for (std::size_t step = 0; step != 4'000'000 / (size + 1000); ++step) {
                const bool fills = step / 64 % 4 != 3;
                const placement q = any_request(random, size);
                const auto fit = expected.map.find_fit(q);
                BOOST_REQUIRE(it.map.find_fit(q) == fit);
                if (fit && fills) {
                    BOOST_REQUIRE(it.map.claim_lowest(q) == fit);
                    expected.map.claim({*fit, q.count});
                    live.push_back({*fit, q.count});
                } else if (const granule_run run{random.below(size), 1 + random.below(3)};
                           run.last() <= size) {
                    const bool claimed = expected.map.claim(run);
                    BOOST_REQUIRE(it.map.claim(run) == claimed);
                    if (claimed)
                        live.push_back(run);
                }
                while (!live.empty() && random.chance(fills ? 40 : 70)) {
                    std::swap(live[random.below(live.size())], live.back());
                    BOOST_REQUIRE(it.map.release(live.back()) == 0);
                    expected.map.release(live.back());
                    live.pop_back();
                }
                const std::size_t from = random.below(size + 1);
                BOOST_REQUIRE((it.map.next_free_run(from) == expected.map.next_free_run(from)));
                BOOST_REQUIRE(it.map.free_count() == expected.map.free_count());
            }
            for (std::size_t i = 0; i != size; ++i)
                BOOST_REQUIRE(it.map.test(i) == expected.map.test(i));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_run_is_released_where_it_is_in_use) {
    owned_bitmap<atomic> it(1000);
    BOOST_TEST(it.map.claim({0, 1000}));
    BOOST_TEST(it.map.release({100, 300}) == 0);
    BOOST_TEST(it.map.release({50, 400}) == 300);
    BOOST_TEST(it.map.free_count() == 400);
    BOOST_TEST((it.map.next_free_run(0) == granule_run{50, 400}));
    BOOST_TEST(it.map.release({60, 1}) == 1);
    BOOST_TEST(it.map.free_count() == 400);
}

BOOST_AUTO_TEST_CASE(a_claim_that_loses_takes_nothing) {
    for (const std::size_t busy : {10U, 64U, 200U, 255U, 299U}) {
        owned_bitmap<atomic> it(600);
        BOOST_TEST(it.map.claim({busy, 1}));
        BOOST_TEST(!it.map.claim({5, 295}));
        BOOST_TEST(it.map.free_count() == 599);
        BOOST_TEST((it.map.next_free_run(0) == granule_run{0, busy}));
        BOOST_TEST((it.map.next_free_run(busy) == granule_run{busy + 1, 599 - busy}));
    }
}

BOOST_AUTO_TEST_CASE(counts_what_may_have_made_room) {
    owned_bitmap<atomic> it(1000);
    auto before = it.map.settled().value();
    const auto changed = [&] { return std::exchange(before, it.map.settled().value()) != before; };
    BOOST_TEST(it.map.claim({0, 10}));
    BOOST_TEST(it.map.claim({10, 200}));
    BOOST_TEST(!changed());
    BOOST_TEST(it.map.release({0, 10}) == 0);
    BOOST_TEST(changed());
    BOOST_TEST(it.map.release({10, 200}) == 0);
    BOOST_TEST(changed());
    BOOST_TEST(it.map.claim({10, 1}));
    BOOST_TEST(!changed());
    BOOST_TEST(!it.map.claim({5, 200}));
    BOOST_TEST(changed());
}

BOOST_AUTO_TEST_CASE(all_state_is_in_the_storage) {
    owned_bitmap<atomic> it(5000);
    BOOST_TEST((it.map.claim({0, 4000}) && it.map.claim({4500, 1}) && it.map.claim({4700, 300})));
    BOOST_TEST(it.map.release({100, 20}) == 0);
    BOOST_TEST(it.map.find_fit({.count = 200, .limit = 5000}).value() == 4000);
    owned_bitmap<atomic> moved = it; // the same bytes at another address
    BOOST_TEST(std::memcmp(moved.storage.data(), it.storage.data(),
                           it.storage.size() * sizeof(it.storage[0])) == 0);
    BOOST_TEST(moved.map.free_count() == it.map.free_count());
    BOOST_TEST(moved.map.settled().value() == it.map.settled().value());
    for (std::size_t count = 1; count != 600; ++count)
        BOOST_TEST((moved.map.find_fit({.count = count, .limit = 5000}) ==
                    it.map.find_fit({.count = count, .limit = 5000})));
}

BOOST_AUTO_TEST_CASE(reset_frees_everything) {
    owned_bitmap<atomic> it(5000);
    BOOST_TEST((it.map.claim({0, 5000}) && !it.map.find_fit({.limit = 5000})));
    it.map.reset();
    BOOST_TEST(it.map.free_count() == 5000);
    BOOST_TEST(it.map.claim_lowest({.count = 5000, .limit = 5000}).value() == 0);
}

BOOST_AUTO_TEST_CASE(storage_is_small) {
    const std::size_t granules = std::size_t{1} << 22;
    BOOST_TEST(atomic::storage_bytes(granules) * 100 <= granules * 16);
    BOOST_TEST(atomic::storage_bytes(1) <= 4 * 64);
}

// ------------------------------------------------------------------ how much is looked at

std::size_t accesses = 0;

/// std::atomic, counted.
template <class T>
struct counted : std::atomic<T> {
    T load() const { return ++accesses, std::atomic<T>::load(); }
};

using counted_bitmap = basic_atomic<counted>;

template <class F>
std::size_t accesses_of(F f) {
    accesses = 0;
    f();
    return accesses;
}

BOOST_AUTO_TEST_CASE(a_search_looks_at_little) {
    constexpr std::size_t size = std::size_t{1} << 18;
    owned_bitmap<counted_bitmap> it(size);
    it.map.claim({0, size});
    const auto none = [&](std::size_t count) {
        return accesses_of([&] { BOOST_TEST(!it.map.find_fit({.count = count, .limit = size})); });
    };
    none(1); // learns that nothing is free
    for (std::size_t at = 0; at + 30 < size; at += 100)
        it.map.release({at, 30});
    BOOST_TEST(none(31) <= 100);
    it.map.release({size - 200, 100});
    const auto last = [&] {
        BOOST_TEST(it.map.claim_lowest({.count = 40, .limit = size}).has_value());
    };
    BOOST_TEST(accesses_of(last) <= 200);
}

BOOST_AUTO_TEST_CASE(a_search_for_much_looks_at_no_word_twice) {
    constexpr std::size_t size = std::size_t{1} << 18;
    owned_bitmap<counted_bitmap> it(size);
    for (std::size_t at = 4999; at < size; at += 5000)
        it.map.claim({at, 1});
    const auto search = [&] { BOOST_TEST(!it.map.find_fit({.count = 5000, .limit = size})); };
    BOOST_TEST(accesses_of(search) <= 2 * size / 64);
}

// ------------------------------------------------------------------ the summary by itself

struct tree {
    explicit tree(std::size_t leaves) : nodes(summary::nodes(leaves)), map(nodes.data(), leaves) {}

    void lower(std::size_t leaf, std::size_t length) {
        map.lower(leaf, length, [&] { return length; });
    }

    std::vector<summary::node> nodes;
    summary map;
};

BOOST_AUTO_TEST_CASE(finds_the_first_leaf_that_is_high_enough) {
    for (const std::size_t leaves : {1U, 7U, 8U, 9U, 64U, 65U, 600U}) {
        random_source random(leaves);
        tree it(leaves);
        std::vector<std::size_t> bound(leaves, summary::leaf_granules);
        BOOST_TEST_CONTEXT(random << ", leaves " << leaves)
        for (int step = 0; step != 3000; ++step) {
            const std::size_t leaf = random.below(leaves);
            const std::size_t length = random.below(random.chance(50) ? 20 : 513);
            if (length > bound[leaf])
                it.map.raise(leaf, length);
            else
                it.lower(leaf, length);
            bound[leaf] = length;
            const std::size_t from = random.below(leaves);
            const std::size_t wanted = 1 + random.below(random.chance(50) ? 20 : 512);
            const auto found = std::find_if(bound.begin() + static_cast<std::ptrdiff_t>(from),
                                            bound.end(), [&](auto b) { return b >= wanted; });
            BOOST_REQUIRE(it.map.first_from(from, wanted) ==
                          (found == bound.end() ? summary::none
                                                : static_cast<std::size_t>(found - bound.begin())));
        }
    }
}

BOOST_AUTO_TEST_CASE(room_made_while_a_bound_is_lowered_is_not_lost) {
    for (const std::size_t length : {5U, 400U}) { // below and above the bound as it is
        tree it(100);
        it.lower(42, 300);
        it.map.lower(42, 0, [&] { // sees the words before the room is made
            it.map.raise(42, length);
            return std::size_t{0};
        });
        BOOST_TEST(it.map.first_from(42, length) == 42);
    }
}

BOOST_AUTO_TEST_CASE(a_thread_stopped_while_lowering_hides_nothing) {
    tree it(1);
    std::atomic<bool> stopped = false, go_on = false;
    std::thread parked([&] {
        it.map.lower(0, 0, [&] {
            stopped = true;
            stopped.notify_one();
            go_on.wait(false);
            return std::size_t{0};
        });
    });
    stopped.wait(false);
    it.map.raise(0, 10);
    BOOST_TEST(it.map.first_from(0, 10) == 0);
    it.lower(0, 5);
    BOOST_TEST(it.map.first_from(0, 6) == summary::none);
    it.map.raise(0, 10);
    go_on = true;
    go_on.notify_one();
    parked.join();
    BOOST_TEST(it.map.first_from(0, 10) == 0);
}

} // namespace
