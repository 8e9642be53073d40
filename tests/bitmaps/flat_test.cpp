// SPDX-License-Identifier: MIT
// What is special to `flat`: the hint below which nothing is free. The rest is conformance.
#include <palloc/bitmaps/flat.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>

using namespace palloc;

namespace {

struct storage {
    alignas(storage_alignment) std::array<std::byte, 1024> bytes{};
    flat map(std::size_t granules) { return {bytes.data(), granules}; }
};

placement any_of(std::size_t granules, std::size_t limit) {
    return {.count = granules, .limit = limit};
}

} // namespace

BOOST_AUTO_TEST_SUITE(flat_itself)

BOOST_AUTO_TEST_CASE(a_bit_a_granule_and_sixteen_bytes) {
    BOOST_TEST(flat::storage_bytes(0) == 16u);
    BOOST_TEST(flat::storage_bytes(64) == 24u);
    BOOST_TEST(flat::storage_bytes(65) == 32u);
}

BOOST_AUTO_TEST_CASE(one_granule_fills_every_hole_from_the_front) {
    storage room;
    flat map = room.map(200);
    for (std::size_t i = 0; i != 200; ++i)
        BOOST_REQUIRE(map.claim_lowest(any_of(1, 200)) == i);
    BOOST_TEST(!map.claim_lowest(any_of(1, 200)).has_value());
    for (const std::size_t hole : {199u, 64u, 63u, 128u, 0u})
        BOOST_TEST(map.release({hole, 1}) == 0u);
    for (const std::size_t hole : {0u, 63u, 64u, 128u, 199u})
        BOOST_TEST((map.claim_lowest(any_of(1, 200)) == hole));
    BOOST_TEST(map.free_count() == 0u);
}

BOOST_AUTO_TEST_CASE(the_hint_never_hides_what_is_free_below_it) {
    storage room;
    flat map = room.map(256);
    BOOST_TEST(map.claim({0, 192})); // three full words
    BOOST_TEST(map.find_fit(any_of(64, 256)).value() == 192u);
    BOOST_TEST(map.release({64, 64}) == 0u);
    BOOST_TEST(map.find_fit(any_of(64, 256)).value() == 64u);
    BOOST_TEST(map.claim({64, 1}));
    BOOST_TEST(map.find_fit(any_of(63, 256)).value() == 65u);
    flat other = room.map(256); // a second view has the hint as well
    BOOST_TEST(other.claim_lowest(any_of(1, 256)).value() == 65u);
}

BOOST_AUTO_TEST_CASE(the_limit_holds_for_one_granule_too) {
    storage room;
    flat map = room.map(100);
    BOOST_TEST(map.claim({0, 70}));
    BOOST_TEST(!map.claim_lowest(any_of(1, 70)).has_value());
    BOOST_TEST(map.claim_lowest(any_of(1, 71)).value() == 70u);
}

BOOST_AUTO_TEST_SUITE_END()
