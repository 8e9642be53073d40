// SPDX-License-Identifier: MIT
// What compositions say of their free memory: theirs, that of their parts, and of what they keep.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/fallback.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/magazine.hpp>
#include <palloc/compositions/magazine_rack.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/compositions/presets.hpp>
#include <palloc/compositions/segregator.hpp>
#include <palloc/compositions/size_classes.hpp>
#include <palloc/compositions/thread_cache.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>

#include "support/bump_parent.hpp"

using namespace palloc;

namespace {

using heap = pool<static_granule<64>, native_memory, indexed, first_fit, unprotected>;

constexpr std::uint64_t chunk_bytes = 65536;
constexpr std::uint64_t block_bytes = 5120; // large for every composition
constexpr std::uint64_t rest_bytes = chunk_bytes % block_bytes;
const pool_options options{.growth = growth_policy::refill(chunk_bytes), .cap_bytes = chunk_bytes};

static_assert(!detail::tells_free_room<locked<test::bump_parent>>);

/// One chunk full of blocks but for two holes that are not neighbours, and the rest.
template <class Pool>
void check(Pool&& pool) {
    std::array<address, chunk_bytes / block_bytes> blocks{};
    for (address& each : blocks)
        each = pool.allocate(block_bytes).value();
    BOOST_TEST(pool.free_bytes() == rest_bytes);
    BOOST_TEST(pool.largest_free_run_bytes() == rest_bytes);
    BOOST_TEST(pool.fragmentation() == 0.0);
    for (const std::size_t i : {2UL, 5UL})
        BOOST_TEST(pool.deallocate(blocks[i], block_bytes).has_value());
    const auto holes = [&] {
        const std::uint64_t free = rest_bytes + 2 * block_bytes;
        BOOST_TEST(pool.free_bytes() == free);
        BOOST_TEST(pool.largest_free_run_bytes() == block_bytes);
        BOOST_TEST(pool.fragmentation() ==
                   1.0 - static_cast<double>(block_bytes) / static_cast<double>(free));
    };
    holes();
    BOOST_TEST(pool.deallocate(pool.allocate(64, 8).value(), 64, 8).has_value());
    holes(); // what lies in a magazine or in a slab is free
    pool.reset();
}

} // namespace

BOOST_AUTO_TEST_SUITE(free_room)

BOOST_AUTO_TEST_CASE(a_composition_has_what_its_parts_and_its_magazines_have) {
    const auto make = [] { return heap(options); };
    check(heap(options));
    check(locked<heap>(options));
    check(magazine<heap>(layout{64, 64}, options));
    check(magazine_rack<heap>(options));
    check(thread_cache<locked<heap>>(options));
    check(fallback<heap, heap>(make, make));
    check(segregator<32, heap, heap>(make, make)); // the small part has no chunk
    check(size_classes<heap>(options));
}

BOOST_AUTO_TEST_CASE(presets_have_what_their_parent_their_slabs_and_their_magazines_have) {
    check(general_purpose(options));
    check(general_purpose_shared(options));
}

BOOST_AUTO_TEST_SUITE_END()
