// SPDX-License-Identifier: MIT
// SipHash-1-3 against published values.
#include <palloc/core/siphash.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>
#include <string_view>

using namespace palloc;

BOOST_AUTO_TEST_SUITE(short_tags)

constexpr siphash_key key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
constexpr std::string_view bytes("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);

/// Of the reference's test vectors, for one round and three.
BOOST_AUTO_TEST_CASE(are_those_of_the_reference) {
    BOOST_TEST(siphash(key).tag() == 0xabac0158050fc4dcU);
    BOOST_TEST(siphash(key).text(bytes.substr(0, 1)).tag() == 0xc9f49bf37d57ca93U);
}

BOOST_AUTO_TEST_CASE(are_the_same_for_words_and_for_their_bytes) {
    BOOST_TEST(siphash(key).word(key[0]).word(key[1]).tag() == siphash(key).text(bytes).tag());
    BOOST_TEST(siphash(key).word(key[0]).text(bytes.substr(8, 5)).tag() ==
               siphash(key).text(bytes.substr(0, 13)).tag());
}

BOOST_AUTO_TEST_CASE(differ_by_key_length_and_each_bit) {
    const std::uint64_t tag = siphash(key).text(bytes).tag();
    BOOST_TEST(siphash({key[1], key[0]}).text(bytes).tag() != tag);
    BOOST_TEST(siphash(key).text(bytes.substr(0, 15)).tag() != tag);
    for (int bit = 0; bit != 64; ++bit)
        BOOST_TEST(siphash(key).word(key[0] ^ std::uint64_t{1} << bit).word(key[1]).tag() != tag);
}

BOOST_AUTO_TEST_SUITE_END()
