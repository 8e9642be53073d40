// SPDX-License-Identifier: MIT
//
// How many lines of its index the indexed bitmap looks at, on maps made to be bad for it.
#include <palloc/bitmaps/indexed.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <string_view>
#include <vector>

#include "owned_bitmap.hpp"
#include "support/random.hpp"

namespace {

using namespace palloc;
using test::random_source;

struct counted_steps {
    static inline std::size_t taken = 0;
    static void take() noexcept { ++taken; }
};
using counted = basic_indexed<counted_steps>;

template <class Question>
std::size_t steps_of(Question&& question) {
    counted_steps::taken = 0;
    question();
    return counted_steps::taken;
}

/// What an unaligned search, a claim or a release may cost: a few walks from a root to a leaf.
std::size_t logarithmic(std::size_t n) {
    return 5 * std::bit_width(n);
}

struct pattern {
    std::string_view name;
    void (*fill)(counted&, random_source&);
};

void nothing(counted&, random_source&) {}
void everything(counted& map, random_source&) {
    BOOST_REQUIRE(map.claim({0, map.size()}));
}
void all_but_a_long_run(counted& map, random_source&) {
    BOOST_REQUIRE(map.claim({0, 1}));
    BOOST_REQUIRE(map.claim({map.size() - 1, 1}));
}

/// Free runs of `Free` granules, with one between them.
template <std::size_t Free>
void every(counted& map, random_source&) {
    for (std::size_t i = 0; i < map.size(); i += Free + 1)
        BOOST_REQUIRE(map.claim({i, 1}));
    (void)map.claim({map.size() - 1, 1});
}

/// Free runs of 1, 2, 3, ... granules: as many lengths as fit.
void of_each_length(counted& map, random_source&) {
    for (std::size_t i = 0, free = 1; i < map.size(); i += ++free)
        BOOST_REQUIRE(map.claim({i, 1}));
}

void at_random(counted& map, random_source& random) {
    for (std::size_t i = 0; i < map.size(); i += random.between(1, 200))
        (void)map.claim({i, std::min(random.between(1, 100), map.size() - i)});
}

constexpr pattern patterns[] = {
    {"nothing allocated", nothing},
    {"everything allocated", everything},
    {"one long run", all_but_a_long_run},
    {"every other granule free", every<1>},
    {"the longest of the short runs", every<63>},
    {"the shortest of the long runs", every<64>},
    {"no run inside a leaf", every<511>},
    {"a run of each length", of_each_length},
    {"random runs", at_random},
};

template <class Body>
void on_each_map(Body body) {
    for (const pattern& it : patterns) {
        for (const std::size_t n : {std::size_t{600}, std::size_t{1} << 13, std::size_t{1} << 20}) {
            random_source random(n);
            test::owned_bitmap<counted> owned(n);
            counted& map = owned.map;
            BOOST_TEST_CONTEXT(it.name << ", " << n << " granules, " << random) {
                it.fill(map, random);
                BOOST_REQUIRE(map.consistent());
                body(map, random);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(what_asks_for_no_alignment_is_logarithmic) {
    on_each_map([](counted& map, random_source& random) {
        const std::size_t n = map.size();
        std::size_t worst = 0;
        const auto take = [&](auto&& question) { worst = std::max(worst, steps_of(question)); };
        for (int i = 0; i < 2000; ++i) {
            const std::size_t longest = std::size_t{1} << random.below(std::bit_width(n));
            placement q{.count = random.between(1, longest), .limit = n};
            take([&] { (void)map.find_best(q); });
            q.from = random.chance(50) ? 0 : random.below(n);
            take([&] { (void)map.find_fit(q); });
            take([&] { (void)map.next_free_run(q.from); });
            take([&] { (void)map.longest_free_run(); });

            const std::size_t first = random.below(n);
            const granule_run run{first, random.between(1, std::min(longest, n - first))};
            bool claimed = false;
            take([&] { claimed = map.claim(run); });
            if (claimed)
                take([&] { BOOST_REQUIRE(map.release(run) == 0u); });
            else if (map.test(first)) {
                take([&] { BOOST_REQUIRE(map.release({first, 1}) == 0u); });
                take([&] { BOOST_REQUIRE(map.claim({first, 1})); });
            }
        }
        BOOST_TEST(worst <= logarithmic(n));
    });
}

BOOST_AUTO_TEST_CASE(what_no_run_can_hold_is_refused_at_the_root) {
    on_each_map([](counted& map, random_source& random) {
        const std::size_t count = map.longest_free_run().count + 1;
        const std::size_t from = random.below(map.size());
        for (const std::size_t mask : {0u, 7u, 255u}) {
            placement q{.count = count, .limit = map.size(), .mask = mask, .phase = 1};
            BOOST_TEST(steps_of([&] { BOOST_TEST(!map.find_fit(q)); }) <= 2u);
            q.from = from;
            BOOST_TEST(steps_of([&] { BOOST_TEST(!map.find_fit(q)); }) <= 2 + logarithmic(512));
        }
    });
}

BOOST_AUTO_TEST_CASE(an_aligned_search_pays_for_the_runs_that_disappoint_it) {
    on_each_map([](counted& map, random_source& random) {
        const std::size_t n = map.size();
        for (int i = 0; i < 20; ++i) {
            const std::size_t longest = std::size_t{1} << random.below(std::bit_width(n));
            const placement q{.count = random.between(1, longest),
                              .limit = n,
                              .mask = (std::size_t{1} << random.between(1, 9)) - 1,
                              .phase = static_cast<std::size_t>(random.bits())};
            std::size_t candidates = 0;
            for (granule_run run = map.next_free_run(0); run.count != 0;
                 run = map.next_free_run(run.last()))
                candidates += run.count >= q.count && run.count < q.count + q.mask;
            const std::size_t best = steps_of([&] { (void)map.find_best(q); });
            BOOST_TEST(best <= (candidates + 1) * logarithmic(n));

            if (q.count <= 64)
                candidates = std::min(candidates, n / 512 + 1);
            candidates = std::min(candidates, n / (q.mask + 1) + 1);
            const std::size_t fit = steps_of([&] { (void)map.find_fit(q); });
            BOOST_TEST(fit <= (candidates + 1) * logarithmic(n));
        }
    });
}

BOOST_AUTO_TEST_CASE(a_best_fit_between_limits_pays_for_the_long_runs_between_them) {
    on_each_map([](counted& map, random_source& random) {
        for (int i = 0; i < 20; ++i) {
            const std::size_t from = random.below(map.size());
            const std::size_t limit = random.between(from, map.size());
            const placement q{.count = random.between(1, 100), .from = from, .limit = limit};
            std::size_t candidates = 0;
            for (granule_run run = map.next_free_run(from); run.count != 0 && run.first < limit;
                 run = map.next_free_run(run.last()))
                candidates += run.count >= std::max<std::size_t>(q.count, 64);
            const std::size_t best = steps_of([&] { (void)map.find_best(q); });
            BOOST_TEST(best <= (candidates + 64) * logarithmic(map.size()));
        }
    });
}

} // namespace
