// SPDX-License-Identifier: MIT
#include <palloc/algorithms/worst_fit.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <functional>

#include "support/ranked_runs.hpp"
#include "support/scene.hpp"

namespace {

using namespace palloc;

/// The same bitmap, which also knows its longest run.
struct knowing_bitmap : test::model_bitmap {
    using model_bitmap::model_bitmap;
    explicit knowing_bitmap(const model_bitmap& other) : model_bitmap(other) {}
    [[nodiscard]] granule_run longest_free_run() const noexcept {
        granule_run longest;
        for (granule_run run = next_free_run(0); run.count != 0; run = next_free_run(run.last()))
            longest = run.count > longest.count ? run : longest;
        return longest;
    }
};

BOOST_AUTO_TEST_CASE(takes_the_longest_run_and_the_lowest_of_equals) {
    static_assert(bitmap_knows_longest<knowing_bitmap>);
    static_assert(!bitmap_knows_longest<test::model_bitmap>);
    test::over_scenes([](const test::scene& it, test::random_source&) {
        const test::place expected{test::in_best_run(it, std::greater<>{})};
        BOOST_TEST(test::place{worst_fit{}(it.bitmap, it.request)} == expected);
        BOOST_TEST(test::place{worst_fit{}(knowing_bitmap(it.bitmap), it.request)} == expected);
    });
}

/// Is never to be searched.
struct opaque_bitmap : knowing_bitmap {
    using knowing_bitmap::knowing_bitmap;
    [[nodiscard]] granule_run next_free_run(std::size_t) const noexcept {
        BOOST_ERROR("searched");
        return {};
    }
    [[nodiscard]] granule_run longest_free_run() const noexcept { return {3, 4}; }
};

BOOST_AUTO_TEST_CASE(searches_nothing_where_the_longest_run_decides) {
    test::basic_scene<opaque_bitmap> it(".##....#");
    it.request.count = 4;
    BOOST_TEST(worst_fit{}(it.bitmap, it.request).value() == 3);
    it.request.count = 5;
    BOOST_TEST(!worst_fit{}(it.bitmap, it.request));
}

} // namespace
