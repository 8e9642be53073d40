// SPDX-License-Identifier: MIT
// Several blocks in one call are those of single calls.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "support/check.hpp"
#include "support/misuse_log.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

template <class Bitmap, class Algorithm = first_fit>
using numbers = pool<sized_granule, fake_demand_paged, Bitmap, Algorithm, unprotected>;
using models = boost::mpl::list<numbers<flat>, numbers<indexed>, numbers<boundary<flat>>,
                                numbers<indexed, best_fit>, numbers<atomic>>;

/// A pool with two chunks, of 300 and of 100 granules of 48 bytes.
template <class Pool>
struct scene {
    fake_space space;
    test::misuse_log mistakes;
    Pool pool{pool_options{.on_misuse = mistakes.policy()}, sized_granule(48),
              fake_demand_paged(space)};

    scene() {
        BOOST_TEST_REQUIRE(pool.add({.where = {0x100000, 300 * 48}}).has_value());
        BOOST_TEST_REQUIRE(pool.add({.where = {0x200000, 100 * 48}}).has_value());
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(many)

BOOST_AUTO_TEST_CASE_TEMPLATE(many_blocks_lie_where_single_ones_would, Pool, models) {
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        scene<Pool> together;
        scene<Pool> single;
        std::vector<std::vector<address>> live;
        for (int step = 0; step != 2000; ++step) {
            const std::uint64_t bytes = random.between(1, random.chance(70) ? 48 : 200);
            const std::uint64_t alignment = std::uint64_t{1} << random.below(7);
            std::vector<address> room(random.below(40));
            room.resize(together.pool.allocate_many(bytes, alignment, room));
            for (const address block : room)
                test::check(single.pool.allocate(bytes, alignment) == block);
            room.push_back(bytes);
            live.push_back(room);
            if (random.chance(70)) {
                const auto gone =
                    live.begin() + static_cast<std::ptrdiff_t>(random.below(live.size()));
                const std::uint64_t size = gone->back();
                gone->pop_back();
                together.pool.deallocate_many(*gone, size);
                for (const address block : *gone)
                    test::check(single.pool.deallocate(block, size).has_value());
                live.erase(gone);
            }
            test::check(together.pool.used_bytes() == single.pool.used_bytes());
        }
        together.pool.reset();
        single.pool.reset();
        test::check(together.mistakes.seen.empty() && single.mistakes.seen.empty());
    }
}

BOOST_AUTO_TEST_CASE(as_many_as_there_are) {
    scene<numbers<flat>> it;
    std::vector<address> room(500);
    BOOST_TEST(it.pool.allocate_many(48, 1, room) == 400u);
    BOOST_TEST(it.pool.allocate_many(48, 1, room) == 0u);
    BOOST_TEST(it.pool.allocate_many(0, 1, room) == 0u);
    BOOST_TEST(it.pool.allocate_many(1, 3, room) == 0u);
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE(what_is_wrong_with_one_is_reported_and_the_others_go_back) {
    scene<numbers<boundary<flat>>> it;
    std::array<address, 3> room{};
    BOOST_TEST(it.pool.allocate_many(48, 1, room) == 3u);
    const std::array<address, 4> given{room[0], 0x300000, room[1] + 1, room[2]};
    it.pool.deallocate_many(given, 48);
    BOOST_TEST(it.mistakes.seen.size() == 2u);
    BOOST_TEST((it.mistakes.seen.at(0).what == errc::not_ours));
    BOOST_TEST((it.mistakes.seen.at(1).what == errc::not_a_block));
    BOOST_TEST(it.pool.used_bytes() == 48u);
    BOOST_TEST(it.pool.deallocate(room[1]).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
