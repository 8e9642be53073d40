// SPDX-License-Identifier: MIT
#include <palloc/algorithms/best_fit.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <functional>
#include <optional>

#include "support/ranked_runs.hpp"
#include "support/scene.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(takes_the_smallest_run_and_the_lowest_of_equals) {
    test::over_scenes([](const test::scene& it, test::random_source&) {
        const auto expected = test::in_best_run(it, std::less<>{});
        BOOST_TEST(test::place{best_fit{}(it.bitmap, it.request)} == test::place{expected});
    });
}

/// Counts how often it is asked for a run.
struct counting_bitmap : test::model_bitmap {
    using model_bitmap::model_bitmap;
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        ++asked;
        return model_bitmap::next_free_run(from);
    }
    mutable std::size_t asked = 0;
};

BOOST_AUTO_TEST_CASE(looks_no_further_than_a_run_that_fits_exactly) {
    test::basic_scene<counting_bitmap> it("....#.#..#..#.");
    it.request.count = 2;
    BOOST_TEST(best_fit{}(it.bitmap, it.request).value() == 7);
    BOOST_TEST(it.bitmap.asked == 3);
}

/// Knows the answer, a wrong one, so that it can be told from a search.
struct finding_bitmap : test::model_bitmap {
    using model_bitmap::model_bitmap;
    [[nodiscard]] std::optional<std::size_t> find_best(const placement&) const noexcept {
        return 42;
    }
};

BOOST_AUTO_TEST_CASE(asks_a_bitmap_that_knows) {
    static_assert(bitmap_finds_best<finding_bitmap> && !bitmap_finds_best<test::model_bitmap>);
    const test::basic_scene<finding_bitmap> it("....");
    BOOST_TEST(best_fit{}(it.bitmap, it.request).value() == 42);
}

} // namespace
