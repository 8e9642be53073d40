// SPDX-License-Identifier: MIT
/// @file
/// @brief What every granularity is compared with: division.
#pragma once

#include <palloc/concepts/granularity.hpp>
#include <palloc/core/wide.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>

#include "support/random.hpp"

namespace palloc::test {

/// @brief One number of bytes.
template <granularity Granule>
void check_at(const Granule& granule, std::uint64_t n) {
    const std::uint64_t bytes = granule.bytes();
    BOOST_TEST_CONTEXT("bytes " << n << " granule " << bytes) {
        BOOST_TEST(granule.index(n) == saturated_size(n / bytes));
        BOOST_TEST(granule.count(n) == saturated_size(n / bytes + (n % bytes != 0 ? 1 : 0)));
        const std::size_t counted = saturated_size(n / bytes);
        BOOST_TEST(granule.offset(counted) == counted * bytes);
    }
}

/// @brief Zero, both ends of 2^64, the neighbours of multiples and of powers of two, and numbers of
/// every length.
template <granularity Granule>
void check_against_division(const Granule& granule, random_source& random) {
    const std::uint64_t bytes = granule.bytes();
    const std::uint64_t largest = ~std::uint64_t{0};
    BOOST_TEST_CONTEXT(random) {
        for (std::uint64_t near = 0; near < 3; ++near) {
            check_at(granule, near);
            check_at(granule, largest - near);
            check_at(granule, largest / bytes * bytes - near);
        }
        for (int length = 0; length < 64; ++length) {
            const std::uint64_t some = random.bits() >> length;
            check_at(granule, some);
            check_at(granule, some / bytes * bytes);
            check_at(granule, some / bytes * bytes - 1);
            check_at(granule, (std::uint64_t{1} << length) - 1);
            check_at(granule, std::uint64_t{1} << length);
        }
    }
}

} // namespace palloc::test
