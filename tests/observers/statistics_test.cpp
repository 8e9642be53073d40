// SPDX-License-Identifier: MIT
#include <palloc/observers/statistics.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <thread>
#include <tuple>
#include <vector>

#include "support/random.hpp"

namespace {

using namespace palloc;
using kind = event::kind;
using both = std::tuple<statistics, concurrent_statistics>;

event refused(event::shortage cause) {
    return {.what = kind::fail, .why = errc::out_of_memory, .cause = cause, .asked = 64};
}

BOOST_AUTO_TEST_CASE_TEMPLATE(sums_are_those_of_a_list_of_blocks, Statistics, both) {
    test::random_source random;
    Statistics counted;
    std::vector<std::uint64_t> live;
    std::uint64_t allocations = 0;
    std::uint64_t releases = 0;
    std::uint64_t bytes = 0;
    std::uint64_t peak_bytes = 0;
    std::uint64_t peak_blocks = 0;
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step < 5'000; ++step) {
            const std::uint64_t size = random.between(1, 50) * 64;
            const std::size_t any = live.empty() ? 0 : random.below(live.size());
            if (live.empty() || random.chance(50)) {
                counted.on({.what = kind::allocate, .where = {0, size}, .asked = size - 3});
                live.push_back(size);
                bytes += size;
                ++allocations;
            } else if (random.chance(20)) {
                counted.on({.what = kind::resize, .where = {0, size}, .asked = live[any]});
                bytes += size - live[any];
                live[any] = size;
            } else if (random.chance(1)) {
                counted.on({.what = kind::reset});
                releases += live.size();
                live.clear();
                bytes = 0;
            } else {
                counted.on({.what = kind::release, .where = {0, live[any]}});
                bytes -= live[any];
                live.erase(live.begin() + static_cast<std::ptrdiff_t>(any));
                ++releases;
            }
            peak_bytes = std::max(peak_bytes, bytes);
            peak_blocks = std::max<std::uint64_t>(peak_blocks, live.size());
            BOOST_TEST(counted.live_bytes() == bytes);
            BOOST_TEST(counted.live_blocks() == live.size());
            BOOST_TEST(counted.peak_bytes() == peak_bytes);
            BOOST_TEST(counted.peak_blocks() == peak_blocks);
            BOOST_TEST(counted.allocations() == allocations);
            BOOST_TEST(counted.releases() == releases);
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(failures_are_told_apart_by_cause, Statistics, both) {
    Statistics counted;
    for (int i = 0; i < 3; ++i)
        counted.on(refused(event::shortage::full));
    for (int i = 0; i < 2; ++i)
        counted.on(refused(event::shortage::fragmented));
    counted.on(refused(event::shortage::none));
    for (const kind other : {kind::add_chunk, kind::remove_chunk, kind::protect, kind::discard})
        counted.on({.what = other, .where = {0, 4096}});
    BOOST_TEST(counted.failures_full() == 3);
    BOOST_TEST(counted.failures_fragmented() == 2);
    BOOST_TEST(counted.failures_other() == 1);
    BOOST_TEST(counted.live_bytes() == 0);
    BOOST_TEST(counted.allocations() == 0);
}

BOOST_AUTO_TEST_CASE(threads_lose_no_count) {
    concurrent_statistics counted;
    constexpr std::uint64_t rounds = 50'000;
    const auto work = [&] {
        for (std::uint64_t i = 0; i < rounds; ++i) {
            counted.on({.what = kind::allocate, .where = {0, 64}});
            counted.on({.what = kind::release, .where = {0, 64}});
        }
    };
    std::thread other(work);
    work();
    other.join();
    BOOST_TEST(counted.allocations() == 2 * rounds);
    BOOST_TEST(counted.releases() == 2 * rounds);
    BOOST_TEST(counted.live_bytes() == 0);
    BOOST_TEST(counted.live_blocks() == 0);
    BOOST_TEST((counted.peak_bytes() == 64 || counted.peak_bytes() == 128));
}

BOOST_AUTO_TEST_CASE(a_copy_is_a_snapshot) {
    concurrent_statistics counted;
    counted.on({.what = kind::allocate, .where = {0, 64}});
    const concurrent_statistics before(counted);
    counted.on({.what = kind::release, .where = {0, 64}});
    BOOST_TEST(before.live_bytes() == 64);
    BOOST_TEST(counted.live_bytes() == 0);
}

} // namespace
