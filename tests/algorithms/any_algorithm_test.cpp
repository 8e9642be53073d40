// SPDX-License-Identifier: MIT
#include <palloc/algorithms/any_algorithm.hpp>
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/next_fit.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstddef>
#include <optional>
#include <thread>

#include "support/scene.hpp"

namespace {

using namespace palloc;
using any = any_algorithm<test::model_bitmap>;
template <class Algorithm>
using choice = choice_of<Algorithm, test::model_bitmap>;
template <class Algorithm>
concept choosable = requires { typename choice<Algorithm>; };

BOOST_AUTO_TEST_CASE(answers_what_the_chosen_algorithm_answers) {
    static constexpr choice<best_fit> best;
    test::over_scenes([](const test::scene& it, test::random_source& random) {
        const first_fit_align aligned(static_cast<std::int64_t>(random.below(300)));
        const choice<first_fit_align> align_choice(aligned);
        const auto ask = [&](const auto& algorithm) {
            return test::place{algorithm(it.bitmap, it.request)};
        };
        any algorithm;
        BOOST_TEST(ask(algorithm) == ask(first_fit{}));
        algorithm.set(best);
        BOOST_TEST(ask(algorithm) == ask(best_fit{}));
        algorithm.set(align_choice);
        BOOST_TEST(ask(algorithm) == ask(aligned));
        const any copy(algorithm);
        algorithm.reset();
        BOOST_TEST(ask(algorithm) == ask(first_fit{}));
        BOOST_TEST(ask(copy) == ask(aligned));
        BOOST_TEST(ask(any(best)) == ask(best_fit{}));
    });
}

BOOST_AUTO_TEST_CASE(takes_anything_callable_as_const_and_nothing_else) {
    const auto highest = [](const test::model_bitmap& bitmap, const placement& q) {
        return std::optional<std::size_t>(bitmap.size() - q.count);
    };
    const choice<decltype(highest)> chosen(highest);
    const test::scene it(10);
    BOOST_TEST(any(chosen)(it.bitmap, it.request).value() == 9);
    BOOST_TEST((choosable<best_fit> && !choosable<next_fit>));
}

BOOST_AUTO_TEST_CASE(is_one_pointer_and_ready_before_the_program_begins) {
    static constinit any ready;
    BOOST_TEST(sizeof(any) == 8);
    BOOST_TEST((concurrent_algorithm_for<any, test::model_bitmap>));
    const test::scene it("#..");
    BOOST_TEST(ready(it.bitmap, it.request).value() == 1);
}

/// Answers its data, and complains where the two halves of it are not of one piece.
struct matched {
    std::size_t answer;
    std::size_t complement;
    std::optional<std::size_t> operator()(const test::model_bitmap&,
                                          const placement&) const noexcept {
        return answer == ~complement ? std::optional(answer) : std::nullopt;
    }
};

BOOST_AUTO_TEST_CASE(can_be_changed_while_it_is_asked) {
    const choice<matched> one({1, ~std::size_t{1}});
    const choice<matched> two({2, ~std::size_t{2}});
    any algorithm(one);
    std::atomic<bool> done = false;
    std::thread changer([&] {
        for (int i = 0; i < 20'000; ++i)
            algorithm.set(i % 2 == 0 ? two : one);
        done = true;
    });
    const test::scene it(4);
    std::size_t torn = 0;
    while (!done) {
        const auto answer = algorithm(it.bitmap, it.request);
        if (answer != 1U && answer != 2U)
            ++torn;
    }
    changer.join();
    BOOST_TEST(torn == 0);
}

} // namespace
