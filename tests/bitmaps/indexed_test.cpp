// SPDX-License-Identifier: MIT
#include <palloc/bitmaps/indexed.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>

#include "owned_bitmap.hpp"
#include "run_model.hpp"
#include "support/random.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;
using test::random_source;

using owned = test::owned_bitmap<indexed>;

bool all_zero(const owned& it) {
    return std::ranges::all_of(it.storage, [](const owned::line& line) {
        return std::ranges::all_of(line.bytes, [](std::byte b) { return b == std::byte{0}; });
    });
}

/// A bitmap and its model, which are asked and told the same.
class bitmap_and_model {
  public:
    bitmap_and_model(std::size_t n, random_source& random)
        : owned_(n), model_(n), random_(random) {}

    void ask(std::size_t shortest, std::size_t longest) {
        const placement q = question(shortest, longest);
        BOOST_TEST_CONTEXT("count " << q.count << " from " << q.from << " limit " << q.limit
                                    << " mask " << q.mask << " phase " << q.phase) {
            BOOST_REQUIRE(map_.find_fit(q) == model_.fit(q));
            BOOST_REQUIRE(map_.find_best(q) == model_.best(q));
        }
        const std::size_t i = random_.between(0, map_.size());
        BOOST_REQUIRE(map_.next_free_run(i) == model_.next(i));
        BOOST_REQUIRE(map_.longest_free_run() == model_.longest());
    }

    void place(std::size_t longest) {
        const placement q = question(1, longest);
        if (const auto found = random_.chance(50) ? map_.find_fit(q) : map_.find_best(q))
            claim({*found, q.count});
    }

    void claim(granule_run run) {
        const bool is_free = model_.busy_in(run) == 0;
        BOOST_REQUIRE(map_.claim(run) == is_free);
        if (is_free)
            model_.set(run, true);
    }

    void release(granule_run run) {
        const std::size_t free = run.count - model_.busy_in(run);
        BOOST_REQUIRE(map_.release(run) == free);
        if (free == 0)
            model_.set(run, false);
    }

    /// Some or all of the busy granules from a random place on.
    void release_busy(std::size_t longest) {
        std::size_t first = random_.below(map_.size());
        while (first < map_.size() && !model_.test(first))
            ++first;
        std::size_t last = first;
        while (last < map_.size() && last - first < longest && model_.test(last))
            ++last;
        if (first != last)
            release({first, last - first});
    }

    /// A run that may be busy, free or both.
    granule_run any_run(std::size_t longest) {
        const std::size_t first = random_.below(map_.size());
        return {first, random_.between(1, std::min(longest, map_.size() - first))};
    }

    void reset() {
        map_.reset();
        model_.set({0, map_.size()}, false);
        BOOST_REQUIRE(all_zero(owned_));
    }

    void compare() const {
        BOOST_REQUIRE(map_.consistent());
        for (std::size_t i = 0; i < map_.size(); ++i)
            BOOST_REQUIRE(map_.test(i) == model_.test(i));
        BOOST_REQUIRE(map_.size() - map_.free_count() == model_.busy_in({0, map_.size()}));
    }

  private:
    placement question(std::size_t shortest, std::size_t longest) {
        placement q{.count = random_.between(shortest, longest), .limit = map_.size()};
        if (random_.chance(50))
            q.from = random_.between(0, map_.size());
        if (random_.chance(30))
            q.limit = random_.between(q.from, map_.size());
        if (random_.chance(50))
            q.mask = (std::size_t{1} << random_.between(0, 10)) - 1;
        if (random_.chance(70))
            q.phase = static_cast<std::size_t>(random_.bits());
        return q;
    }

    owned owned_;
    indexed& map_ = owned_.map;
    test::run_model model_;
    random_source& random_;
};

BOOST_AUTO_TEST_CASE(it_answers_what_a_look_at_every_granule_does) {
    std::uint64_t stream = 0;
    for (const std::size_t n :
         {1u, 63u, 64u, 65u, 511u, 512u, 513u, 4095u, 4096u, 4097u, 100'000u}) {
        for (const std::size_t longest : {4u, 80u, 600u, 20'000u}) {
            random_source random(++stream);
            bitmap_and_model it(n, random);
            const std::size_t most = std::min<std::size_t>(longest, n);
            BOOST_TEST_CONTEXT(random << " granules " << n << " up to " << longest) {
                for (int round = 0; round < (n > 10'000 ? 60 : 600); ++round) {
                    it.ask(1, most);
                    const bool filling = round / 100 % 2 == 0;
                    for (int change = 0; change < (n > 10'000 ? 8 : 2); ++change) {
                        if (random.chance(filling ? 60 : 30))
                            it.place(most);
                        else if (random.chance(60))
                            it.release_busy(most);
                        else if (random.chance(50))
                            it.claim(it.any_run(most));
                        else
                            it.release(it.any_run(most));
                    }
                    if (n <= 10'000 || round % 10 == 0)
                        it.compare();
                }
                it.reset();
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(among_equal_runs_it_finds_the_first_that_will_do) {
    constexpr std::size_t n = 6000;
    for (const std::size_t length : {1u, 2u, 31u, 63u, 64u, 65u, 100u, 447u, 511u, 512u}) {
        random_source random(length);
        bitmap_and_model it(n, random);
        for (std::size_t i = 0; i < n; i += length + 1)
            it.claim({i, 1});
        BOOST_TEST_CONTEXT(random << " length " << length) {
            for (int i = 0; i < 300; ++i)
                it.ask(length - length / 8, length);
            it.compare();
        }
    }
}

BOOST_AUTO_TEST_CASE(all_given_back_leaves_the_storage_as_it_was_lent) {
    for (const std::size_t n : {1u, 512u, 5000u, 40'000u}) {
        random_source random(n);
        owned it(n);
        indexed& map = it.map;
        std::vector<granule_run> live;
        BOOST_TEST_CONTEXT(random) {
            for (int i = 0; i < 2000; ++i) {
                const std::size_t count = random.between(1, std::min<std::size_t>(n, 300));
                if (const auto place = map.find_best({.count = count, .limit = n})) {
                    BOOST_REQUIRE(map.claim({*place, count}));
                    live.push_back({*place, count});
                } else {
                    std::swap(live[random.below(live.size())], live.back());
                    BOOST_REQUIRE(map.release(live.back()) == 0u);
                    live.pop_back();
                }
            }
            for (const granule_run run : live)
                BOOST_REQUIRE(map.release(run) == 0u);
            BOOST_TEST(all_zero(it));
            BOOST_TEST(map.free_count() == n);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_second_view_sees_and_changes_the_same_map) {
    constexpr std::size_t n = 3000;
    owned it(n);
    indexed& first = it.map;
    BOOST_TEST(first.claim({100, 700}));
    BOOST_TEST(first.claim({1000, 1}));
    indexed second(it.storage.front().bytes, n);
    BOOST_TEST(second.consistent());
    BOOST_TEST(second.free_count() == n - 701);
    BOOST_TEST((second.find_fit({.count = 200, .limit = n}) == 800u));
    BOOST_TEST(second.claim({800, 200}));
    BOOST_TEST(second.release({100, 700}) == 0u);
    BOOST_TEST(first.consistent());
    BOOST_TEST(first.free_count() == n - 201);
    BOOST_TEST((first.longest_free_run() == granule_run{1001, n - 1001}));
    BOOST_TEST((first.find_best({.count = 500, .limit = n}) == 0u));
}

BOOST_AUTO_TEST_CASE(what_is_refused_changes_nothing) {
    constexpr std::size_t n = 1000;
    owned it(n);
    indexed& map = it.map;
    BOOST_TEST(map.claim({200, 400}));
    BOOST_TEST(map.release({300, 10}) == 0u);
    for (const granule_run run : {granule_run{0, 201}, {599, 2}, {599, 401}, {305, 6}, {299, 2}})
        BOOST_TEST(!map.claim(run));
    BOOST_TEST(map.release({290, 30}) == 10u);
    BOOST_TEST(map.release({199, 2}) == 1u);
    BOOST_TEST(map.release({0, n}) == 610u);
    BOOST_TEST(map.consistent());
    BOOST_TEST(map.free_count() == 610u);
    BOOST_TEST(map.claim({300, 10}));
    BOOST_TEST(map.release({200, 400}) == 0u);
    BOOST_TEST(all_zero(it));
}

BOOST_AUTO_TEST_CASE(a_chunk_of_very_many_granules_costs_what_is_touched_of_it) {
    constexpr std::size_t n = std::size_t{1} << (sizeof(std::size_t) == 8 ? 34 : 29);
    constexpr std::size_t bytes = indexed::storage_bytes(n);
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        test::skip("there is not enough address space");
    const auto resident_bytes = [&] {
        const auto page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        std::vector<unsigned char> resident(bytes / page_bytes + 1);
        BOOST_REQUIRE(::mincore(memory, bytes, resident.data()) == 0);
        return static_cast<std::size_t>(std::ranges::count(resident, 1)) * page_bytes;
    };
    indexed map(static_cast<std::byte*>(memory), n);
    BOOST_TEST(resident_bytes() == 0u);
    BOOST_TEST((map.longest_free_run() == granule_run{0, n}));
    for (std::size_t i = 0; i < 3; ++i) {
        const std::size_t middle = (2 * i + 1) * (n / 6);
        BOOST_TEST((map.find_fit({.count = 9, .from = middle, .limit = n}) == middle));
        BOOST_TEST(map.claim({middle, 9}));
    }
    BOOST_TEST((map.find_best({.count = n / 6 + 1, .limit = n}) == n / 6 + 9));
    BOOST_TEST(resident_bytes() < std::size_t{1} << 20);
    ::munmap(memory, bytes);
}

} // namespace
