// SPDX-License-Identifier: MIT
// What concepts/chunk_bitmap.hpp asks of bitmaps that offer more, refinement by refinement.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <type_traits>

#include "models/bitmaps.hpp"
#include "support/bitmap_pair.hpp"
#include "support/random.hpp"

using namespace palloc;
using test::bitmap_pair;

namespace {

template <class M>
struct is_shared : std::bool_constant<concurrent_bitmap<M>> {};
template <class M>
struct knows_blocks : std::bool_constant<bitmap_knows_blocks<M>> {};
template <class M>
struct finds_best : std::bool_constant<bitmap_finds_best<M>> {};
template <class M>
struct knows_longest : std::bool_constant<bitmap_knows_longest<M>> {};
template <class M>
struct claims_lowest : std::bool_constant<bitmap_claims_lowest<M>> {};

template <template <class> class Has>
using models_that = boost::mp11::mp_copy_if<test::bitmap_models, Has>;

/// Runs `check` on bitmaps of several sizes, again and again as they change.
template <class Bitmap, class Check>
void through_changes(Check&& check) {
    for (const std::size_t n : {1u, 64u, 130u, 513u, 3'000u}) {
        test::random_source random(n);
        bitmap_pair<Bitmap> it(n);
        BOOST_TEST_CONTEXT(random << " granules " << n) {
            for (int step = 0; step != 2'000; ++step) {
                it.shuffle(random);
                check(it, random);
            }
            it.compare();
        }
    }
}

/// The first legal position of the shortest run in [from, limit) that has one, the lowest of
/// equals.
std::optional<std::size_t> best_of(const test::model_bitmap& model, const placement& q) {
    std::optional<std::size_t> best;
    std::size_t shortest = model.size() + 1;
    for (auto run = model.next_free_run(q.from); run.count != 0 && run.first < q.limit;
         run = model.next_free_run(run.last())) {
        const std::size_t end = std::min(run.last(), q.limit);
        std::size_t position = run.first;
        while (position != end && !(q.legal(position) && position + q.count <= end))
            ++position;
        if (position != end && end - run.first < shortest) {
            best = position;
            shortest = end - run.first;
        }
    }
    return best;
}

granule_run longest_of(const test::model_bitmap& model) {
    granule_run longest;
    for (auto run = model.next_free_run(0); run.count != 0; run = model.next_free_run(run.last()))
        longest = run.count > longest.count ? run : longest;
    return longest;
}

} // namespace

BOOST_AUTO_TEST_SUITE(refined_bitmaps)

BOOST_AUTO_TEST_CASE_TEMPLATE(at_rest_a_shared_bitmap_is_settled, Bitmap, models_that<is_shared>) {
    through_changes<Bitmap>([](bitmap_pair<Bitmap>& it, test::random_source& random) {
        const auto before = it.map.settled();
        BOOST_TEST_REQUIRE(before.has_value());
        it.compare_search(test::random_request(random, it.model.size()));
        BOOST_TEST((it.map.settled() == before)); // a search makes no room
        if (it.blocks().empty())
            return;
        it.release_some(random);
        BOOST_TEST_REQUIRE(it.map.settled().has_value());
        BOOST_TEST(*it.map.settled() > *before);
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(knows_the_block_of_every_granule, Bitmap, models_that<knows_blocks>) {
    test::random_source random;
    for (const std::size_t n : {1u, 64u, 130u, 1'000u}) {
        bitmap_pair<Bitmap> it(n);
        for (int step = 0; step != 300; ++step) {
            it.shuffle(random);
            std::size_t known = 0;
            for (const granule_run block : it.blocks())
                for (std::size_t i = block.first; i != block.last(); ++i, ++known)
                    if (it.map.block_at(i) != block)
                        BOOST_ERROR("granule " << i << " belongs to " << block);
            BOOST_TEST(known + it.map.free_count() == n);
            for (std::size_t i = 0; i != n; ++i)
                if (!it.model.test(i) && it.map.block_at(i))
                    BOOST_ERROR("granule " << i << " belongs to no block");
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(releases_blocks_without_their_size, Bitmap,
                              models_that<knows_blocks>) {
    through_changes<Bitmap>([](bitmap_pair<Bitmap>& it, test::random_source& random) {
        const std::size_t some = random.below(it.model.size());
        const auto block = it.map.block_at(some);
        if (block && block->first == some)
            it.release_block(*block);
        else
            BOOST_TEST(it.map.release_block(some) == 0u);
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(gives_back_nothing_but_whole_blocks, Bitmap,
                              models_that<knows_blocks>) {
    bitmap_pair<Bitmap> it(200);
    it.claim({60, 10});
    it.claim({70, 70});
    for (const granule_run wrong : {granule_run{60, 9}, granule_run{61, 9}, granule_run{60, 11},
                                    granule_run{60, 80}, granule_run{65, 1}, granule_run{69, 2}}) {
        BOOST_TEST(it.map.release(wrong) != 0u, wrong);
        it.compare();
    }
    it.release({60, 10});
    it.release({70, 70});
    it.compare();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_abandoned_block_stays_used, Bitmap, models_that<knows_blocks>) {
    bitmap_pair<Bitmap> it(500);
    test::random_source random;
    it.shuffle(random);
    for (int i = 0; i != 40; ++i)
        it.shuffle(random);
    const auto blocks = it.blocks();
    BOOST_TEST_REQUIRE(!blocks.empty());
    const granule_run dead = blocks[random.below(blocks.size())];
    BOOST_TEST(it.map.abandon_block(dead.first));
    BOOST_TEST(!it.map.abandon_block(dead.first));
    it.compare_search(test::random_request(random, it.model.size())); // the model has it still
    for (std::size_t i = dead.first; i != dead.last(); ++i)
        BOOST_TEST(!it.map.block_at(i).has_value());
    for (const granule_run block : blocks)
        if (block != dead)
            BOOST_TEST((it.map.block_at(block.first) == block));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(resizes_blocks_where_there_is_room, Bitmap,
                              models_that<knows_blocks>) {
    through_changes<Bitmap>([](bitmap_pair<Bitmap>& it, test::random_source& random) {
        if (it.blocks().empty())
            return;
        const granule_run block = it.blocks()[random.below(it.blocks().size())];
        const std::size_t room = it.model.size() - block.first;
        it.resize(block, random.chance(50) ? random.between(1, room)
                                           : std::min(room, random.between(1, block.count + 3)));
        BOOST_TEST((it.map.block_at(it.blocks().back().first) == it.blocks().back()));
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(finds_the_lowest_of_the_shortest_runs, Bitmap,
                              models_that<finds_best>) {
    through_changes<Bitmap>([](bitmap_pair<Bitmap>& it, test::random_source& random) {
        const placement q = test::random_request(random, it.model.size());
        const test::place expected{best_of(it.model, q)};
        const test::place got{it.map.find_best(q)};
        BOOST_TEST(got == expected, got << " instead of " << expected << ": " << q);
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(knows_its_longest_free_run, Bitmap, models_that<knows_longest>) {
    through_changes<Bitmap>([](bitmap_pair<Bitmap>& it, test::random_source&) {
        const granule_run expected = longest_of(it.model);
        const granule_run got = it.map.longest_free_run();
        BOOST_TEST(got.count == expected.count);
        if (expected.count != 0)
            BOOST_TEST(got.first == expected.first);
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(claims_what_a_search_would_find, Bitmap, models_that<claims_lowest>) {
    through_changes<Bitmap>([](bitmap_pair<Bitmap>& it, test::random_source& random) {
        it.claim_lowest(test::random_request(random, it.model.size()));
        if (random.chance(50))
            it.claim_lowest({.count = random.between(1, 2), .limit = it.model.size()});
    });
}

BOOST_AUTO_TEST_SUITE_END()
