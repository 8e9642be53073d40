// SPDX-License-Identifier: MIT
/// @file
/// @brief A genalloc pool, and what a case expects of it in one line.
#pragma once

#include <palloc/genalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>

#include "support/misuse_log.hpp"

namespace palloc::test {

/// A pool with granules of 64 bytes, which may end with live blocks.
template <class Bitmap>
struct pool_fixture {
    misuse_log log;
    basic_genalloc<Bitmap> pool{{.order = 6, .name = "sram", .on_misuse = log.policy()}};

    void lend(address base, std::uint64_t bytes) { BOOST_TEST(pool.add(base, bytes).has_value()); }

    template <class... Algorithm>
    void gives(address expected, std::uint64_t bytes, const Algorithm&... algorithm) {
        const auto got = pool.alloc(bytes, algorithm...);
        BOOST_TEST(got.has_value());
        BOOST_TEST(got.value_or(~expected) == expected);
    }
    template <class... Algorithm>
    void refuses(std::uint64_t bytes, const Algorithm&... algorithm) {
        const std::uint64_t before = pool.avail();
        const auto got = pool.alloc(bytes, algorithm...);
        BOOST_TEST(!got.has_value());
        BOOST_TEST(pool.avail() == before);
    }
    void takes_back(address block, std::uint64_t bytes) {
        BOOST_TEST(pool.free(block, bytes).has_value());
    }
    void calls_misuse(errc what, address block, std::uint64_t bytes) {
        log.seen.clear();
        BOOST_TEST(to_string(pool.free(block, bytes).error().code) == to_string(what));
        BOOST_TEST(log.seen.size() == 1u);
        BOOST_TEST(log.seen.at(0).pool == "sram");
    }
};

} // namespace palloc::test
