// SPDX-License-Identifier: MIT
#include <palloc/core/bits.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <random>

using namespace palloc;

namespace {

constexpr std::size_t size = 300;
using words = std::array<bits::word, bits::words(size)>;

bool test(const words& map, std::size_t i) {
    return (map[i / 64] >> (i % 64) & 1) != 0;
}

std::size_t first(const words& map, bool set, std::size_t from, std::size_t limit) {
    while (from < limit && test(map, from) != set)
        ++from;
    return from < limit ? from : limit;
}

} // namespace

BOOST_AUTO_TEST_SUITE(bits_of_words)

BOOST_AUTO_TEST_CASE(runs_are_set_cleared_counted_and_found_bit_by_bit) {
    std::mt19937_64 random(1);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    words map{};
    std::array<bool, size> model{};
    for (int round = 0; round != 5000; ++round) {
        const std::size_t from = below(size);
        const granule_run run{from, 1 + below(size - from)};
        const bool value = random() % 2 == 0;
        value ? bits::set(map.data(), run) : bits::clear(map.data(), run);
        std::size_t count = 0;
        for (std::size_t i = run.first; i != run.last(); ++i)
            model[i] = value;
        const std::size_t at = below(size);
        const std::size_t limit = below(size + 1);
        for (std::size_t i = at; i < limit; ++i)
            count += model[i];
        for (std::size_t i = 0; i != size; ++i)
            BOOST_REQUIRE(test(map, i) == model[i]);
        BOOST_REQUIRE(bits::find<true>(map.data(), at, limit) == first(map, true, at, limit));
        BOOST_REQUIRE(bits::find<false>(map.data(), at, limit) == first(map, false, at, limit));
        if (at < limit)
            BOOST_REQUIRE(bits::count(map.data(), {at, limit - at}) == count);
    }
}

BOOST_AUTO_TEST_CASE(masks) {
    BOOST_TEST(bits::low_mask(1) == 1u);
    BOOST_TEST(bits::low_mask(64) == ~bits::word{0});
    BOOST_TEST(bits::words(0) == 0u);
    BOOST_TEST(bits::words(64) == 1u);
    BOOST_TEST(bits::words(65) == 2u);
}

BOOST_AUTO_TEST_SUITE_END()
