// SPDX-License-Identifier: MIT
#include <palloc/core/wide.hpp>

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "support/random.hpp"

namespace {

using namespace palloc;

constexpr std::uint64_t all = ~std::uint64_t{0};

/// Numbers of every length, the extremes among them.
std::uint64_t any_length(test::random_source& random) {
    return random.chance(10) ? (random.chance(50) ? all : 0) : random.bits() >> random.below(64);
}

} // namespace

BOOST_AUTO_TEST_SUITE(wide)

BOOST_AUTO_TEST_CASE(a_size_is_the_number_or_the_largest) {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    static_assert(saturated_size(0) == 0 && saturated_size(all) == most);
    static_assert(saturated_size(most) == most && saturated_size(most - 1) == most - 1);
    BOOST_TEST(
        saturated_size(std::uint64_t{1} << 32) ==
        (sizeof(std::size_t) == 4 ? most : static_cast<std::size_t>(std::uint64_t{1} << 32)));
}

// (a * b + c) by one bit of b at a time, which needs no wider number.
BOOST_AUTO_TEST_CASE(the_upper_half_is_that_of_schoolbook_multiplication) {
    static_assert(upper_half(all, all, all) == all); // 2^128 - 2^64 is the largest sum
    static_assert(detail::upper_half_by_digits(all, all, all) == upper_half(all, all, all));
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        for (int i = 0; i != 20'000; ++i) {
            const std::uint64_t a = any_length(random);
            const std::uint64_t b = any_length(random);
            const std::uint64_t c = any_length(random);
            std::uint64_t high = 0;
            std::uint64_t low = c;
            for (int bit = 0; bit != 64; ++bit) {
                if ((b >> bit & 1) == 0)
                    continue;
                const std::uint64_t before = low;
                low += a << bit;
                high += (bit == 0 ? 0 : a >> (64 - bit)) + (low < before);
            }
            BOOST_TEST(upper_half(a, b, c) == high);
            BOOST_TEST(detail::upper_half_by_digits(a, b, c) == high);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_quotient_times_the_divisor_is_what_was_divided) {
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        for (int i = 0; i != 5'000; ++i) {
            const std::uint64_t divisor = any_length(random) | 1;
            const std::uint64_t upper = any_length(random) % divisor;
            const auto [quotient, remainder] = divide_upper(upper, divisor);
            BOOST_TEST(remainder < divisor);
            BOOST_TEST(quotient * divisor + remainder == 0u); // the lower half
            BOOST_TEST(upper_half(quotient, divisor, remainder) == upper);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
