// SPDX-License-Identifier: MIT
// Every pool when the calls beneath it fail, each in its turn: nothing is lost, what was asked for
// can be asked for again, and freeing goes on.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <type_traits>

#include "models/pools.hpp"
#include "support/check.hpp"
#include "support/counted_metadata.hpp"
#include "support/pool_life.hpp"
#include "support/random.hpp"

using namespace palloc;
using test::pool_life;

namespace {

constexpr std::uint64_t chunk_bytes = 16 << 10;

template <class Rig>
struct has_script : std::bool_constant<test::follows_a_script<decltype(Rig::beneath)>> {};
using models = test::pool_models;
using scripted_models = boost::mp11::mp_copy_if<models, has_script>;

/// What a pool says of itself before and after a call that failed.
struct picture {
    std::uint64_t used;
    std::uint64_t capacity;
    std::size_t chunks;
    friend bool operator==(const picture&, const picture&) = default;
};
template <class Pool>
picture picture_of(const Pool& pool) {
    return {pool.used_bytes(), pool.capacity_bytes(), pool.chunk_count()};
}

/// A short life with chunks, blocks, resizing, protection: each call that fails has changed
/// nothing, and succeeds when it is made again. Answers whether one failed.
template <class Rig>
bool live_through_a_failure(Rig& it, pool_life<Rig>& life) {
    bool failed = false;
    const auto persist = [&](auto&& call) {
        const picture before = picture_of(it.pool);
        if (call())
            return;
        failed = true;
        test::check(picture_of(it.pool) == before);
        test::check(call());
    };
    for (int round = 0; round != 3; ++round) {
        persist([&] { return it.add_chunk(chunk_bytes).has_value(); });
        for (const std::uint64_t bytes : {100u, 1u, 3'000u, 64u})
            persist([&] {
                const auto got = life.allocate({.bytes = bytes});
                return got || got.error().code == errc::out_of_memory; // `fixed` has one place
            });
        const auto first = life.live().begin();
        for (const std::uint64_t bytes : {5'000u, 10u})
            persist([&] {
                const auto resized = life.resize(first, bytes);
                return resized || resized.error().code == errc::no_room;
            });
        life.free(first->first); // an error of the backing does not keep it from freeing
        life.check_accounts();
    }
    if constexpr (requires { it.pool.protect(); })
        persist([&] { return it.pool.protect().has_value(); });
    if constexpr (!Rig::pool_type::is_concurrent)
        (void)it.pool.release_empty_chunks(1);
    return failed;
}

} // namespace

BOOST_AUTO_TEST_SUITE(failures_beneath_every_pool)

BOOST_AUTO_TEST_CASE_TEMPLATE(every_call_of_the_backing_may_fail, Rig, scripted_models) {
    for (std::uint64_t n = 1;; ++n) {
        test::require(n < 1'000);
        test::counted_metadata metadata;
        bool failed = false;
        {
            Rig it({.metadata = metadata});
            pool_life life(it);
            test::script_of(it.beneath)->fail_nth(backing_call::any, n);
            failed = live_through_a_failure(it, life);
            const bool reached = test::script_of(it.beneath)->calls(backing_call::any) >= n;
            test::script_of(it.beneath)->fail_nth(backing_call::any, 0);
            test::check(!failed || reached);
            failed = reached;
        }
        test::check(metadata.pieces_out() == 0);
        if (!failed)
            break; // there is no nth call
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(every_call_of_the_metadata_provider_may_fail, Rig, models) {
    for (std::uint64_t n = 1;; ++n) {
        test::require(n < 100);
        test::counted_metadata metadata;
        bool failed = false;
        {
            Rig it({.metadata = metadata});
            pool_life life(it);
            metadata.fail_nth(n);
            failed = live_through_a_failure(it, life);
        }
        test::check(metadata.pieces_out() == 0);
        if (!failed)
            break;
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bitmaps_may_live_elsewhere_and_fail_there, Rig, models) {
    for (std::uint64_t n = 1;; ++n) {
        test::require(n < 100);
        test::counted_metadata metadata;
        test::counted_metadata maps;
        bool failed = false;
        {
            Rig it({.metadata = metadata, .maps = metadata_ref(maps)});
            pool_life life(it);
            maps.fail_nth(n);
            failed = live_through_a_failure(it, life);
            test::check(maps.pieces_out() == it.pool.chunk_count());
        }
        test::check(metadata.pieces_out() == 0 && maps.pieces_out() == 0);
        if (!failed)
            break;
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(only_chunks_need_metadata, Rig, models) {
    test::random_source random;
    test::counted_metadata metadata;
    Rig it({.metadata = metadata});
    pool_life life(it);
    test::require(it.add_chunk(chunk_bytes).has_value());
    test::require(it.add_chunk(chunk_bytes).has_value());
    const std::uint64_t calls = metadata.calls();
    metadata.fail_nth(1);
    for (int step = 0; step != 500; ++step)
        life.step(random, 3'000);
    life.free_all();
    test::check(metadata.calls() == calls);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(failures_while_growing_change_nothing, Rig, scripted_models) {
    for (std::uint64_t n = 1; n != 5; ++n) {
        test::counted_metadata metadata;
        Rig it({.growth = growth_policy::refill(chunk_bytes), .metadata = metadata});
        if (!backing_can_map<typename Rig::backing_type> ||
            !test::is_general<typename Rig::algorithm_type>)
            return test::check(true);
        pool_life life(it);
        test::script_of(it.beneath)->fail_nth(backing_call::any, n);
        std::uint64_t failures = 0;
        for (int i = 0; i != 100; ++i) {
            const std::uint64_t used = it.pool.used_bytes();
            if (!life.allocate({.bytes = 700})) {
                ++failures;
                test::check(it.pool.used_bytes() == used); // a new chunk may stay
            }
        }
        test::check(failures <= 1);
        life.check_accounts();
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(ends_whatever_fails_then, Rig, scripted_models) {
    for (std::uint64_t n = 1; n != 12; ++n) {
        test::counted_metadata metadata;
        Rig it({.metadata = metadata});
        for (int i = 0; i != 3; ++i)
            test::require(it.add_chunk(chunk_bytes).has_value());
        test::script_of(it.beneath)->fail_nth(backing_call::any, n);
        it.end_pool();
        test::check(metadata.pieces_out() == 0);
        if (const fake_space* const space = test::space_of(it.beneath)) // a call that failed itself
            test::check(space->mapped_bytes() <= chunk_bytes);
    }
}

BOOST_AUTO_TEST_SUITE_END()
