// SPDX-License-Identifier: MIT
// What concepts/chunk_bitmap.hpp asks of every bitmap, in its order; its refinements are in
// bitmap_refinements_test.cpp.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "models/bitmaps.hpp"
#include "support/bitmap_pair.hpp"
#include "support/random.hpp"

using namespace palloc;
using test::bitmap_pair;

namespace {

/// Both sides of the edges of words, of lines of words, and of leaves of 512 granules.
constexpr std::size_t sizes[] = {1, 2, 63, 64, 65, 127, 128, 129, 511, 512, 513, 4097};

/// Where runs begin and end in 200 granules.
constexpr std::size_t edges[] = {0, 1, 62, 63, 64, 65, 66, 127, 128, 129, 191, 192, 193, 199, 200};

template <class Check>
void over_pairs_of_edges(Check&& check) {
    for (const std::size_t first : edges)
        for (const std::size_t last : edges)
            if (first < last)
                check(granule_run{first, last - first});
}

} // namespace

BOOST_AUTO_TEST_SUITE(every_bitmap)

BOOST_AUTO_TEST_CASE_TEMPLATE(zeroed_storage_is_all_free, Bitmap, test::bitmap_models) {
    for (const std::size_t n : sizes) {
        const bitmap_pair<Bitmap> it(n);
        it.compare();
        it.compare_search({.count = n, .limit = n});
        it.compare_search({.count = n + 1, .limit = n});
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(needs_little_storage_and_keeps_to_it, Bitmap, test::bitmap_models) {
    test::random_source random;
    std::size_t before = 0;
    for (const std::size_t n : sizes) {
        bitmap_pair<Bitmap> it(n);
        BOOST_TEST(it.storage_bytes() >= before);
        before = it.storage_bytes();
        for (int step = 0; step != 200; ++step)
            it.shuffle(random);
        it.claim_at(it.model.find_fit({.limit = n}), 1);
        it.reset();
        BOOST_TEST(it.stayed_inside());
    }
    constexpr std::size_t many = 1 << 20; // a byte a granule, or a little more where it tells whose
    BOOST_TEST(Bitmap::storage_bytes(many) <=
               many + many / 8 * bitmap_is_shared_by_processes<Bitmap>);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(claims_all_of_a_run_or_nothing, Bitmap, test::bitmap_models) {
    over_pairs_of_edges([](granule_run taken) {
        bitmap_pair<Bitmap> it(200);
        it.claim(taken);
        it.compare();
        over_pairs_of_edges([&](granule_run other) { it.claim(other); });
        it.compare();
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(releases_what_was_claimed, Bitmap, test::bitmap_models) {
    over_pairs_of_edges([](granule_run block) {
        bitmap_pair<Bitmap> it(200);
        if (block.first != 0)
            it.claim({0, block.first});
        it.claim(block);
        if (block.last() != 200)
            it.claim({block.last(), 200 - block.last()});
        it.release(block);
        it.compare();
        it.claim(block);
        it.compare();
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(says_how_many_granules_were_free_already, Bitmap,
                              test::bitmap_models) {
    bitmap_pair<Bitmap> it(200);
    it.release({60, 80});
    it.compare();
    if constexpr (!bitmap_knows_blocks<Bitmap>) { // to which it is a wrong block
        it.claim({70, 50});
        it.release({60, 80});
        it.compare();
        it.claim({0, 10});
        it.release({9, 2});
        it.compare();
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(finds_the_lowest_free_legal_position, Bitmap, test::bitmap_models) {
    test::over_scenes([](const test::scene& it, test::random_source& random) {
        bitmap_pair<Bitmap> pair(it.bitmap.size());
        for (granule_run run{}; run.first != it.bitmap.size(); run = {run.last(), 0}) {
            const bool used = it.bitmap.test(run.first);
            while (run.last() != it.bitmap.size() && it.bitmap.test(run.last()) == used)
                ++run.count;
            if (used)
                pair.claim(run);
        }
        pair.compare_search(it.request);
        for (int more = 0; more != 5; ++more)
            pair.compare_search(test::random_request(random, it.bitmap.size()));
    });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(does_as_the_model_through_thousands_of_changes, Bitmap,
                              test::bitmap_models) {
    for (const std::size_t n : sizes) {
        test::random_source random(n);
        bitmap_pair<Bitmap> it(n);
        BOOST_TEST_CONTEXT(random << " granules " << n)
        for (int step = 0; step != 2'000; ++step) {
            it.shuffle(random);
            it.compare_search(test::random_request(random, n));
            if (step % 100 == 0)
                it.compare();
            if (random.chance(1) && random.chance(20))
                it.reset();
        }
        BOOST_TEST(it.stayed_inside());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(is_all_free_again_after_a_reset, Bitmap, test::bitmap_models) {
    for (const std::size_t n : sizes) {
        test::random_source random(n);
        bitmap_pair<Bitmap> it(n);
        for (int step = 0; step != 300; ++step)
            it.shuffle(random);
        it.reset();
        it.compare();
        it.claim({0, n});
        it.compare();
        it.reset();
        it.claim({n / 2, n - n / 2});
        it.compare();
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(attaches_to_storage_that_holds_a_map, Bitmap, test::bitmap_models) {
    for (const std::size_t n : sizes) {
        test::random_source random(n);
        bitmap_pair<Bitmap> it(n);
        for (int step = 0; step != 300; ++step)
            it.shuffle(random);
        test::lent_storage elsewhere(it.storage_bytes()); // as another process sees a segment
        std::copy_n(it.storage(), it.storage_bytes(), elsewhere.data());
        it.compare(Bitmap(elsewhere.data(), n));

        it.map = Bitmap(elsewhere.data(), n); // and goes on there
        for (int step = 0; step != 300; ++step) {
            it.shuffle(random);
            it.compare_search(test::random_request(random, n));
        }
        it.compare();
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(two_views_of_one_storage_see_the_same, Bitmap, test::bitmap_models) {
    test::random_source random;
    bitmap_pair<Bitmap> it(777);
    Bitmap other = it.view();
    for (int step = 0; step != 1'000; ++step) {
        std::swap(it.map, other);
        it.shuffle(random);
        if (step % 50 == 0)
            it.compare(other);
    }
    it.compare();
    const Bitmap moved = std::move(it.map);
    it.compare(moved);
}

BOOST_AUTO_TEST_SUITE_END()
