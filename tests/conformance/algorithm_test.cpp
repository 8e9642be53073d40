// SPDX-License-Identifier: MIT
// What concepts/algorithm.hpp asks of every algorithm, over the obvious bitmap and over one with
// every refinement that an algorithm may make use of.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "models/algorithms.hpp"
#include "models/bitmaps.hpp"
#include "support/bitmap_pair.hpp"
#include "support/random.hpp"
#include "support/scene.hpp"

using namespace palloc;

namespace {

/// An algorithm, and what it is asked about.
template <class Algorithm, class Bitmap>
struct asked {
    using algorithm = Algorithm;
    using pair = test::bitmap_pair<Bitmap>;
};
template <class Bitmap>
using asked_about =
    boost::mp11::mp_product<asked, test::algorithm_models<Bitmap>, std::tuple<Bitmap>>;

using models = boost::mp11::mp_append<asked_about<test::model_bitmap>, asked_about<indexed>>;

template <class Model>
struct is_general : std::bool_constant<test::is_general<typename Model::algorithm>> {};
template <class Model>
struct takes_lowest : std::bool_constant<algorithm_takes_lowest<typename Model::algorithm>> {};
using general_models = boost::mp11::mp_copy_if<models, is_general>;

bool has_place(const test::model_bitmap& model, const placement& q) {
    return model.find_fit(q).has_value();
}

/// The position must be free and legal; that there is none must be true.
template <class Algorithm>
void check_answer(std::optional<std::size_t> answer, const test::model_bitmap& model,
                  const placement& q) {
    if (answer) {
        BOOST_TEST(q.legal(*answer), *answer << ": " << q);
        BOOST_TEST((*answer < model.size() && model.is_free({*answer, q.count})),
                   *answer << ": " << q);
    } else if (test::is_complete<Algorithm>) {
        BOOST_TEST(!has_place(model, q), "there is room: " << q);
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(every_algorithm)

BOOST_AUTO_TEST_CASE_TEMPLATE(answers_a_free_legal_position_or_none, Model, models) {
    test::random_source random;
    auto algorithm = test::make_algorithm<typename Model::algorithm>();
    for (const std::size_t n : {1u, 63u, 64u, 65u, 200u, 1'100u}) {
        typename Model::pair it(n);
        BOOST_TEST_CONTEXT(random << " granules " << n)
        for (int step = 0; step != 1'000; ++step) {
            it.shuffle(random);
            const placement q = test::random_request(random, n);
            const std::optional<std::size_t> answer = algorithm(std::as_const(it.map), q);
            check_answer<typename Model::algorithm>(answer, it.model, q);
        }
        it.compare(); // it only looked
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(keeps_apart_what_lives_at_once, Model, models) {
    test::random_source random;
    auto algorithm = test::make_algorithm<typename Model::algorithm>();
    typename Model::pair it(300);
    for (int step = 0; step != 3'000; ++step) {
        if (random.chance(45))
            it.release_some(random);
        const placement q{.count = random.between(1, 9),
                          .limit = 300,
                          .mask = (std::size_t{1} << random.below(4)) - 1};
        it.claim_at(algorithm(std::as_const(it.map), q), q.count); // which must succeed
    }
    it.compare();
    BOOST_TEST(!it.blocks().empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(hands_out_every_granule_and_then_says_none, Model, general_models) {
    for (const std::size_t n : {1u, 64u, 65u, 200u}) {
        auto algorithm = test::make_algorithm<typename Model::algorithm>();
        typename Model::pair it(n);
        const placement one{.limit = n};
        for (std::size_t left = n; left-- != 0;) {
            const std::optional<std::size_t> answer = algorithm(std::as_const(it.map), one);
            BOOST_TEST_REQUIRE(answer.has_value());
            it.claim_at(answer, 1);
            BOOST_TEST(it.model.free_count() == left);
        }
        BOOST_TEST(!std::optional<std::size_t>(algorithm(std::as_const(it.map), one)));
        it.release({n / 2, 1});
        BOOST_TEST((algorithm(std::as_const(it.map), one) == std::optional(n / 2)));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(finds_a_run_of_all_when_all_is_free_again, Model, general_models) {
    test::random_source random;
    auto algorithm = test::make_algorithm<typename Model::algorithm>();
    typename Model::pair it(256);
    for (int round = 0; round != 20; ++round) {
        for (int step = 0; step != 200; ++step) {
            const placement q{.count = random.between(1, 20), .limit = 256};
            it.claim_at(algorithm(std::as_const(it.map), q), q.count);
            if (random.chance(50))
                it.release_some(random);
        }
        while (!it.blocks().empty())
            it.release_some(random);
        const placement all{.count = 256, .limit = 256};
        BOOST_TEST((algorithm(std::as_const(it.map), all) == std::optional<std::size_t>(0)));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_moved_one_goes_on, Model, general_models) {
    auto algorithm = test::make_algorithm<typename Model::algorithm>();
    typename Model::pair it(64);
    for (int i = 0; i != 32; ++i)
        it.claim_at(algorithm(std::as_const(it.map), {.limit = 64}), 1);
    auto moved = std::move(algorithm);
    for (int i = 0; i != 32; ++i)
        it.claim_at(moved(std::as_const(it.map), {.limit = 64}), 1);
    BOOST_TEST(it.map.free_count() == 0u);
}

using lowest_models = boost::mp11::mp_copy_if<models, takes_lowest>;

BOOST_AUTO_TEST_CASE_TEMPLATE(takes_the_lowest_if_it_says_so, Model, lowest_models) {
    test::random_source random;
    auto algorithm = test::make_algorithm<typename Model::algorithm>();
    typename Model::pair it(700);
    for (int step = 0; step != 2'000; ++step) {
        it.shuffle(random);
        const placement q = test::random_request(random, 700);
        BOOST_TEST((algorithm(std::as_const(it.map), q) == it.model.find_fit(q)), q);
    }
}

BOOST_AUTO_TEST_SUITE_END()
