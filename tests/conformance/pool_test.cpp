// SPDX-License-Identifier: MIT
// What every pool promises of its blocks, whatever it is composed of. Of its chunks:
// pool_chunks_test.cpp; when something beneath it fails: pool_failures_test.cpp.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <iterator>
#include <type_traits>

#include "models/pools.hpp"
#include "support/check.hpp"
#include "support/pool_life.hpp"
#include "support/random.hpp"

using namespace palloc;
using test::pool_life;

namespace {

constexpr std::uint64_t chunk_bytes = 64 << 10;

template <class Rig>
struct is_general : std::bool_constant<test::is_general<typename Rig::algorithm_type>> {};
template <class Rig>
struct is_complete : std::bool_constant<test::is_complete<typename Rig::algorithm_type>> {};

template <template <class> class Has>
using models_that = boost::mp11::mp_copy_if<test::pool_models, Has>;
using models = test::pool_models;

} // namespace

BOOST_AUTO_TEST_SUITE(blocks_of_every_pool)

BOOST_AUTO_TEST_CASE_TEMPLATE(keeps_every_promise_through_thousands_of_calls, Rig, models) {
    test::random_source random;
    Rig it;
    pool_life life(it);
    BOOST_TEST_CONTEXT(random)
    for (int step = 0; step != 3'000; ++step) {
        if (step % 1'000 == 0)
            test::require(it.add_chunk(chunk_bytes).has_value());
        life.step(random, 4'000);
        if (step % 50 == 0) {
            life.check_accounts();
            life.check_commitment();
        }
    }
    life.free_all();
    life.check_accounts();
    test::check(it.pool.used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(hands_out_every_granule_and_then_refuses, Rig,
                              models_that<is_general>) {
    Rig it;
    pool_life life(it);
    test::require(it.add_chunk(9'000).has_value());
    test::require(it.add_chunk(5'000).has_value());
    while (life.allocate({.bytes = 1})) {
    }
    test::check(it.pool.free_bytes() == 0u);
    test::check((it.pool.allocate(1).error().code == errc::out_of_memory));
    const address some = std::next(life.live().begin(), 17)->first;
    life.free(some);
    test::check(life.allocate({.bytes = 1}).value() == some);
    life.free_all();
    life.check_accounts();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_free_joins_again, Rig, models_that<is_general>) {
    test::random_source random;
    Rig it;
    const range chunk = it.add_chunk(chunk_bytes).value();
    pool_life life(it);
    for (int step = 0; step != 500; ++step)
        life.step(random, 2'000);
    life.free_all();
    const std::uint64_t whole = it.pool.largest_free_run_bytes();
    test::check(it.pool.fragmentation() == 0.0);
    test::check((whole <= chunk.bytes && chunk.bytes - whole < it.pool.granule().bytes()));
    if (test::is_complete<typename Rig::algorithm_type>)
        test::check(life.allocate({.bytes = whole}).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(alignment_is_one_of_addresses, Rig, models_that<is_complete>) {
    test::random_source random;
    Rig it;
    const range chunk = it.add_chunk(chunk_bytes).value();
    pool_life life(it);
    for (std::uint64_t alignment = 1; alignment <= 2 * chunk_bytes; alignment *= 2) {
        BOOST_TEST_CONTEXT("alignment " << alignment)
        for (int round = 0; round != 20; ++round)
            if (!life.allocate({.bytes = random.between(1, 200), .alignment = alignment}))
                break;
        life.free_all();
        const std::uint64_t first = align_up(chunk.base, alignment);
        const bool must_fit = // whatever the granules: one that is aligned and wholly inside
            is_power_of_two(it.pool.granule().bytes()) && alignment >= it.pool.granule().bytes() &&
            chunk.base % it.pool.granule().bytes() == 0 && chunk.contains(range{first, 4096});
        if (must_fit)
            test::check(life.allocate({.bytes = 1, .alignment = alignment}).has_value());
        life.free_all();
    }
    for (const std::uint64_t wrong : {0u, 3u, 48u, 100u})
        test::check((it.pool.allocate(1, wrong).error().code == errc::bad_alignment));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(everything_is_dropped_at_once, Rig, models_that<is_general>) {
    test::random_source random;
    Rig it;
    test::require(it.add_chunk(chunk_bytes).has_value());
    test::require(it.add_chunk(chunk_bytes / 2).has_value());
    pool_life life(it);
    for (int round = 0; round != 5; ++round) {
        while (life.allocate({.bytes = random.between(1, 500)})) {
        }
        life.check_accounts();
        life.reset();
        life.check_accounts();
        test::check(it.pool.used_bytes() == 0u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
