// SPDX-License-Identifier: MIT
// What concepts/observer.hpp asks of every observer, and what a pool owes to each.
#include <palloc/concepts/observer.hpp>

#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <type_traits>
#include <vector>

#include "models/bitmaps.hpp"
#include "models/pools.hpp"
#include "support/backing_checks.hpp"
#include "support/pool_life.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace palloc {

std::ostream& operator<<(std::ostream& out, event::kind what) {
    return out << "event " << static_cast<int>(what);
}

} // namespace palloc

namespace {

constexpr std::uint64_t page = 4096;

/// Keeps everything it is told.
struct logbook {
    static constexpr bool is_concurrent = true; // in these tests, which have one thread
    std::vector<event>* entries;

    void on(const event& happened) noexcept { entries->push_back(happened); }
};

template <class Observer, class Bitmap, class Protection = unprotected>
using observed_pool =
    pool<static_granule<64>, fake_demand_paged, Bitmap, first_fit, Protection, Observer>;

/// The pool with one observer, and what it said.
template <class Bitmap, class Protection = unprotected>
struct watched {
    explicit watched(pool_options options = {})
        : pool((options.on_misuse = mistakes.policy(), options), {}, fake_demand_paged(space), {},
               Protection{}, logbook{&entries}) {}

    /// What was said since the last time.
    event only_entry() {
        BOOST_TEST_REQUIRE(entries.size() == 1u);
        const event it = entries.front();
        entries.clear();
        return it;
    }

    fake_space space;
    test::misuse_log mistakes;
    std::vector<event> entries;
    observed_pool<logbook, Bitmap, Protection> pool;
};

template <class M>
struct is_exclusive : std::bool_constant<!concurrent_bitmap<M>> {};
using exclusive_bitmaps = boost::mp11::mp_copy_if<test::bitmap_models, is_exclusive>;

} // namespace

BOOST_AUTO_TEST_SUITE(every_observer)

BOOST_AUTO_TEST_CASE_TEMPLATE(changes_nothing, Observer, test::observer_models) {
    test::random_source random;
    test::random_source same_random;
    test::pool_rig<static_granule<64>, fake_demand_paged, boundary<flat>, first_fit> plain;
    test::pool_rig<static_granule<64>, fake_demand_paged, boundary<flat>, first_fit, unprotected,
                   Observer>
        observed;
    BOOST_TEST(plain.add_chunk(64 * page).has_value());
    BOOST_TEST(observed.add_chunk(64 * page).has_value());
    test::pool_life first(plain);
    test::pool_life second(observed);
    for (int step = 0; step != 2'000; ++step) {
        first.step(random, 3'000);
        second.step(same_random, 3'000);
        if (step % 100 != 0)
            continue;
        BOOST_TEST(first.live().size() == second.live().size());
        const bool same =
            std::equal(first.live().begin(), first.live().end(), second.live().begin(),
                       second.live().end(), [](const auto& a, const auto& b) {
                           return a.first == b.first && a.second.bytes == b.second.bytes;
                       });
        BOOST_TEST(same);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(can_be_moved_and_asked_for, Observer, test::observer_models) {
    auto first = test::make_observer<Observer>();
    first.on({.what = event::kind::allocate, .where = {0, 64}, .asked = 10});
    auto moved = std::move(first);
    moved.on({.what = event::kind::release, .where = {0, 64}, .asked = 10});
    test::pool_rig<static_granule<64>, fake_demand_paged, atomic, first_fit, unprotected,
                   concurrent_statistics, recorder>
        it;
    BOOST_TEST(it.add_chunk(page).has_value());
    const address block = it.pool.allocate(100).value();
    BOOST_TEST(it.pool.template observer<concurrent_statistics>().live_bytes() == 128u);
    BOOST_TEST(it.pool.template observer<recorder>().dropped() == 1u); // it has no room at all
    BOOST_TEST(it.pool.deallocate(block, 100).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_told_of_blocks, Bitmap, test::bitmap_models) {
    watched<Bitmap> it;
    const address base = it.pool.grow(page).value().base;
    it.entries.clear();
    BOOST_TEST(it.pool.allocate(100).has_value());
    const event born = it.only_entry();
    BOOST_TEST(born.what == event::kind::allocate);
    BOOST_TEST(born.where == (range{base, 128}));
    BOOST_TEST(born.asked == 100u);

    BOOST_TEST(it.pool.resize(base, 100, 300).has_value());
    const event longer = it.only_entry();
    BOOST_TEST(longer.what == event::kind::resize);
    BOOST_TEST(longer.where == (range{base, 320}));
    BOOST_TEST(longer.asked == 128u);

    BOOST_TEST(it.pool.deallocate(base, 300).has_value());
    const event gone = it.only_entry();
    BOOST_TEST(gone.what == event::kind::release);
    BOOST_TEST(gone.where == (range{base, 320}));

    BOOST_TEST(it.pool.allocate(64).has_value());
    it.entries.clear();
    it.pool.reset();
    BOOST_TEST(it.only_entry().what == event::kind::reset);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_told_why_a_request_failed, Bitmap, test::bitmap_models) {
    watched<Bitmap> it;
    const address base = it.pool.grow(page).value().base;
    it.entries.clear();
    const auto why = [&](std::uint64_t bytes, std::uint64_t alignment = 1) {
        BOOST_TEST(!it.pool.allocate(bytes, alignment).has_value());
        const event refused = it.only_entry();
        BOOST_TEST(refused.what == event::kind::fail);
        BOOST_TEST(refused.asked == bytes);
        return refused;
    };
    BOOST_TEST(why(0).why == errc::zero_size);
    BOOST_TEST(why(1, 3).why == errc::bad_alignment);
    BOOST_TEST((why(1, 3).cause == event::shortage::none));
    BOOST_TEST((why(2 * page).cause == event::shortage::full));
    while (it.pool.allocate(64)) {
    }
    it.entries.clear();
    BOOST_TEST(why(64).why == errc::out_of_memory);
    for (address block = base; block != base + page; block += 128)
        BOOST_TEST(it.pool.deallocate(block, 64).has_value());
    it.entries.clear();
    BOOST_TEST((why(128).cause == event::shortage::fragmented));
    BOOST_TEST((why(page).cause == event::shortage::full));
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_not_told_of_calls_that_changed_nothing, Bitmap,
                              test::bitmap_models) {
    watched<Bitmap> it;
    const address base = it.pool.grow(page).value().base;
    const address block = it.pool.allocate(128).value();
    BOOST_TEST(it.pool.allocate(64).has_value());
    it.entries.clear();
    BOOST_TEST(!it.pool.deallocate(base - 1, 64).has_value());
    BOOST_TEST(!it.pool.deallocate(block + 1, 64).has_value());
    BOOST_TEST(!it.pool.resize(block, 128, 300).has_value()); // a neighbour
    BOOST_TEST(!it.pool.resize(block, 128, 2 * page).has_value());
    if constexpr (!concurrent_bitmap<Bitmap> || bitmap_knows_blocks<Bitmap>)
        BOOST_TEST(!it.pool.deallocate(base + page - 64, 64).has_value()); // free already
    BOOST_TEST(it.entries.empty());
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_told_of_chunks, Bitmap, exclusive_bitmaps) {
    watched<Bitmap> it;
    const range kept = it.pool.grow(page).value();
    BOOST_TEST(it.only_entry().where == kept);
    const range added = it.pool.add({.where = {0x7'0000'0000'0000, page}}).value();
    const event born = it.only_entry();
    BOOST_TEST(born.what == event::kind::add_chunk);
    BOOST_TEST(born.where == added);
    const address block = it.pool.allocate({.bytes = 10, .within = kept}).value();
    it.entries.clear();
    BOOST_TEST(it.pool.release_empty_chunks() == page);
    const event gone = it.only_entry();
    BOOST_TEST(gone.what == event::kind::remove_chunk);
    BOOST_TEST(gone.where == added);
    BOOST_TEST(it.pool.deallocate(block, 10).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_told_of_protection, Bitmap, exclusive_bitmaps) {
    watched<Bitmap, test::closes_areas> it;
    const range first = it.pool.grow(page).value();
    const range second = it.pool.grow(page).value();
    it.entries.clear();
    BOOST_TEST(it.pool.protect().has_value());
    BOOST_TEST_REQUIRE(it.entries.size() == 2u);
    for (const event& each : it.entries)
        BOOST_TEST(each.what == event::kind::protect);
    BOOST_TEST(it.entries[0].where == second); // the newest first
    BOOST_TEST(it.entries[1].where == first);
}

BOOST_AUTO_TEST_SUITE_END()
