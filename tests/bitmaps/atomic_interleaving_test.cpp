// SPDX-License-Identifier: MIT
// Two threads on one bitmap that take turns at chosen accesses: all schedules of two switches, and
// some of more. So each is also stopped at every access while the other does all it has to do.
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/claimed.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "bitmaps/owned_bitmap.hpp"
#include "bitmaps/turns.hpp"
#include "support/random.hpp"

namespace {

using namespace palloc;
using namespace palloc::test;

using bitmap = basic_atomic<watched>;
static_assert(concurrent_bitmap<bitmap>);

/// Runs `Story`'s `first` and `second` in every schedule where one is stopped once on its way and
/// the other then once on its, and in some others.
template <class Story>
void tell() {
    const auto once = [](std::vector<std::size_t> plan) {
        Story story;
        schedule turns(std::move(plan));
        turns.run([&] { story.first(); }, [&] { story.second(); });
        BOOST_TEST_CONTEXT(turns) {
            story.check();
        }
        return turns.switches();
    };
    for (const bool second_begins : {false, true}) {
        std::size_t switches = 3;
        for (std::size_t i = 0; switches > 1; ++i)
            for (std::size_t j = 0; j == 0 || switches > 2; ++j)
                switches = second_begins ? once({0, i, j}) : 1 + once({i, j});
    }
    random_source random;
    BOOST_TEST_CONTEXT(random)
    for (int i = 0; i != 2000; ++i) {
        std::vector<std::size_t> plan(random.between(3, 6));
        for (std::size_t& each : plan)
            each = random.below(40);
        once(std::move(plan));
    }
}

/// Asks as the pool does, and notes what it would believe.
struct customer {
    void ask(bitmap& map, const placement& q) {
        auto before = map.settled();
        for (int attempt = 0; attempt != 3 && !got && !refused; ++attempt) {
            got = map.claim_lowest(q);
            const auto after = map.settled();
            refused = !got && before && before == after;
            before = after;
        }
    }

    std::optional<std::size_t> got;
    bool refused = false;
};

struct two_blocks {
    two_blocks() { it.map.claim({0, 100}); }
    void first() { one.ask(it.map, {.count = 100, .limit = 200}); }
    void second() {
        it.map.release({0, 100});
        two.ask(it.map, {.count = 100, .limit = 200});
    }
    void check() const {
        BOOST_TEST((!one.refused && !two.refused));
        BOOST_TEST((!one.got || *one.got == 0 || *one.got == 100));
        BOOST_TEST((!two.got || *two.got == 0 || *two.got == 100));
        BOOST_TEST((!one.got || one.got != two.got));
    }
    owned_bitmap<bitmap> it{200};
    customer one, two;
};
BOOST_AUTO_TEST_CASE(two_long_blocks_find_their_places) {
    tell<two_blocks>();
}

struct moving_block {
    moving_block() { it.map.claim({0, 64}); }
    void first() { one.ask(it.map, {.count = 64, .limit = 128}); }
    void second() {
        it.map.release({0, 64});
        moved = it.map.claim({64, 64});
    }
    void check() const {
        BOOST_TEST(!one.refused);
        BOOST_TEST((!one.got || *one.got == (moved ? 0 : 64)));
    }
    owned_bitmap<bitmap> it{128};
    customer one;
    bool moved = false;
};
BOOST_AUTO_TEST_CASE(a_search_that_a_block_moves_past_is_not_believed) {
    tell<moving_block>();
}

struct losing_claim {
    losing_claim() { it.map.claim({10, 1}); }
    void first() { one.ask(it.map, {.count = 80, .limit = 100}); }
    void second() { lost = !it.map.claim({0, 100}); }
    void check() const {
        BOOST_TEST(lost);
        BOOST_TEST(!one.refused);
        BOOST_TEST((it.map.free_count() == (one.got ? 19U : 99U)));
        BOOST_TEST((one.got || it.map.find_fit({.count = 80, .limit = 100}) == 11U));
    }
    owned_bitmap<bitmap> it{100};
    customer one;
    bool lost = false;
};
BOOST_AUTO_TEST_CASE(a_search_that_meets_a_losing_claim_is_not_believed) {
    tell<losing_claim>();
}

/// A chunk whose bounds are exact: all is in use but what `holes` are.
struct worn {
    static constexpr std::size_t size = 4096;

    explicit worn(std::vector<granule_run> holes) {
        it.map.claim({0, size});
        (void)it.map.find_fit({.limit = size});
        for (const granule_run hole : holes)
            it.map.release(hole);
    }

    void check() const { BOOST_TEST(finds_every_run(it.map)); }
    owned_bitmap<bitmap> it{size};
};

struct neighbours : worn {
    neighbours() : worn({{490, 3}}) {}
    void first() { it.map.release({493, 10}); }
    void second() { it.map.release({503, 20}); }
};
BOOST_AUTO_TEST_CASE(neighbours_given_back_at_once_become_one_run) {
    tell<neighbours>();
}

struct losing_neighbour : worn {
    losing_neighbour() : worn({{503, 20}}) {}
    void first() { it.map.release({493, 10}); }
    void second() { it.map.claim({502, 30}); }
};
BOOST_AUTO_TEST_CASE(what_a_losing_claim_gives_back_joins_its_neighbours) {
    tell<losing_neighbour>();
}

struct misled_search : worn {
    misled_search() : worn({{100, 50}}) { it.map.claim({110, 35}); }
    void first() { (void)it.map.find_fit({.count = 30, .limit = size}); }
    void second() {
        it.map.release({600, 40});
        seen = it.map.find_fit({.count = 40, .limit = size});
    }
    void check() const {
        BOOST_TEST((seen == 600U));
        worn::check();
    }
    std::optional<std::size_t> seen;
};
BOOST_AUTO_TEST_CASE(a_search_that_lowers_bounds_hides_no_room) {
    tell<misled_search>();
}

template <class Bitmap>
struct run_being_taken {
    void first() { seen = it.map.next_free_run(0); }
    void second() {
        it.map.claim({0, 70});
        it.map.release({0, 70});
        it.map.claim({0, 100});
    }
    void check() const { BOOST_TEST(seen.count != 0); }
    owned_bitmap<Bitmap> it{200};
    granule_run seen{};
};
BOOST_AUTO_TEST_CASE(a_run_that_is_taken_does_not_hide_the_next) {
    tell<run_being_taken<bitmap>>();
    tell<run_being_taken<basic_claimed<watched>>>();
}

struct stopped_claim {
    void first() { one = it.map.claim_lowest({.count = 150, .limit = 1100}); }
    void second() { two = it.map.claim_lowest({.count = 150, .limit = 1100}); }
    void check() const {
        BOOST_REQUIRE((one && two));
        BOOST_TEST((*one + 150 <= *two || *two + 150 <= *one));
        BOOST_TEST((*one < 300 && *two < 300));
        BOOST_TEST(it.map.free_count() == 800);
        BOOST_TEST(it.map.settled().has_value());
    }
    owned_bitmap<bitmap> it{1100};
    std::optional<std::size_t> one, two;
};
BOOST_AUTO_TEST_CASE(a_claim_stopped_anywhere_stops_no_other) {
    tell<stopped_claim>();
}

} // namespace
