// SPDX-License-Identifier: MIT
// What every pool promises of its chunks: how they come and go, whose they are, how they are
// protected.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "models/pools.hpp"
#include "support/check.hpp"
#include "support/pool_life.hpp"
#include "support/random.hpp"

using namespace palloc;
using test::pool_life;

namespace {

constexpr std::uint64_t chunk_bytes = 64 << 10;

template <class Rig>
struct can_map : std::bool_constant<backing_can_map<typename Rig::backing_type>> {};
template <class Rig>
struct can_protect
    : std::bool_constant<
          protection_can_close<typename Rig::protection_type, typename Rig::backing_type>> {};
template <class Rig>
struct opens_windows
    : std::bool_constant<
          protection_opens_windows<typename Rig::protection_type, typename Rig::backing_type>> {};

template <template <class> class Has>
using models_that = boost::mp11::mp_copy_if<test::pool_models, Has>;
using models = test::pool_models;

} // namespace

BOOST_AUTO_TEST_SUITE(chunks_of_every_pool)

BOOST_AUTO_TEST_CASE_TEMPLATE(an_empty_pool_has_nothing, Rig, models) {
    Rig it;
    test::check((it.pool.allocate(1).error().code == errc::out_of_memory));
    test::check((it.pool.explain({.bytes = 1}).why == errc::out_of_memory));
    test::check(!it.pool.owns(0));
    test::check(it.pool.chunk_count() == 0u);
    test::check(it.pool.capacity_bytes() + it.pool.used_bytes() + it.pool.mapped_bytes() == 0u);
    test::check(it.pool.largest_free_run_bytes() == 0u);
    test::check(it.pool.fragmentation() == 0.0);
    it.pool.reset();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(owns_its_chunks_and_nothing_else, Rig, models) {
    Rig it;
    std::vector<range> chunks;
    for (int i = 0; i != 5; ++i)
        chunks.push_back(it.add_chunk(4'096).value());
    for (const range chunk : chunks) {
        test::check((it.pool.owns(chunk.base) && it.pool.owns(chunk.base + chunk.bytes - 1)));
        test::check((it.pool.find(chunk.base + 5)->where == chunk));
        for (const address outside : {chunk.base - 1, chunk.base + chunk.bytes}) {
            const bool neighbour = std::any_of(chunks.begin(), chunks.end(),
                                               [&](range c) { return c.contains(outside); });
            test::check(it.pool.owns(outside) == neighbour);
        }
    }
    test::check((!it.pool.owns(0) && !it.pool.owns(~address{0})));
    std::vector<range> seen;
    it.pool.for_each_chunk([&](const auto& c) { seen.insert(seen.begin(), c.where); });
    test::check((seen == chunks));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(grows_up_to_its_cap, Rig, models_that<can_map>) {
    if constexpr (!test::is_general<typename Rig::algorithm_type>)
        return;
    Rig it({.growth = growth_policy::geometric(4'096, 16'384), .cap_bytes = 40'960});
    pool_life life(it);
    while (life.allocate({.bytes = 1'000})) {
    }
    test::check(it.pool.mapped_bytes() == 40'960u);
    test::check((it.pool.allocate(1'000).error().code == errc::over_limit));
    test::check(!it.pool.allocate({.bytes = 1'000, .may_map = false}).has_value());
    life.check_accounts();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(empty_chunks_can_be_given_back, Rig, models_that<can_map>) {
    if constexpr (!Rig::pool_type::is_concurrent) {
        Rig it;
        std::vector<range> chunks;
        for (int i = 0; i != 6; ++i)
            chunks.push_back(it.add_chunk(8'192).value());
        {
            pool_life life(it);
            while (life.allocate({.bytes = 8'000})) { // one a chunk
            }
            life.free(life.live().begin()->first);
            test::check(it.pool.release_empty_chunks() == 8'192u);
            test::check(it.pool.chunk_count() == 5u);
            life.check_accounts();
        }
        test::check(it.pool.release_empty_chunks(2) == 3 * 8'192u);
        test::check(it.pool.chunk_count() == 2u);
        test::check(it.pool.mapped_bytes() == 2 * 8'192u);
    } else {
        test::check((!requires(Rig& r) { r.pool.release_empty_chunks(); }));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_protected_is_neither_written_nor_used_again, Rig,
                              models_that<can_protect>) {
    Rig it;
    const range old = it.add_chunk(chunk_bytes).value();
    pool_life life(it);
    const address block = life.allocate({.bytes = 500}).value();
    const auto got = it.pool.protect();
    test::require(got.has_value());
    test::check((it.pool.achieved(block) == *got && *got != strength::none));
    test::check(!test::rig_memory(it.beneath).writable(block));
    test::check((it.pool.allocate(1).error().code == errc::is_protected));
    test::check((it.pool.resize(block, 500, 5'000).error().code == errc::is_protected));
    test::check(it.add_chunk(chunk_bytes).has_value());
    for (int i = 0; i != 20; ++i)
        test::check(!old.contains(life.allocate({.bytes = 900}).value()));
    life.free_all();
    life.check_accounts();
    life.reset();
    test::check(it.pool.used_bytes() == it.pool.usable_bytes(500)); // dead for good
    test::check(it.pool.protect().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(windows_open_onto_the_pools_own_memory, Rig,
                              models_that<opens_windows>) {
    Rig it;
    const range chunk = it.add_chunk(chunk_bytes).value();
    pool_life life(it);
    const address block = life.allocate({.bytes = 500}).value();
    test::check(it.pool.open_window({block, 500}).has_value());
    test::check(it.pool.open_window(chunk).has_value());
    const range after{chunk.base + chunk.bytes, 1};
    test::check((it.pool.open_window(after).error().code == errc::not_ours));
    test::check(
        (it.pool.open_window({chunk.base + 1, chunk.bytes}).error().code == errc::past_the_end));
}

BOOST_AUTO_TEST_SUITE_END()
