// SPDX-License-Identifier: MIT
// What other threads see while views are replaced and placed.
#include <palloc/backings/memfd.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

#include "support/backing_checks.hpp"
#include "support/sanitizers.hpp"

using namespace palloc;

namespace {

/// To TSan a mapping in place of another is a store to all of it, which no reader could be ordered
/// with; that there is none is what is tested.
PALLOC_RACES_ON_PURPOSE unsigned char read(const volatile unsigned char* at) {
    return *at;
}

BOOST_AUTO_TEST_CASE(readers_never_fault_while_views_are_replaced) {
    const int swaps = std::getenv("PALLOC_FULL") == nullptr ? 5'000 : 60'000;
    memfd backing;
    auto region = backing.map({.bytes = 4 * 4096}).value();
    const range where = backing.where(region);
    auto* const bytes = reinterpret_cast<volatile unsigned char*>(where.base);
    for (std::uint64_t at = 0; at != where.bytes; at += 4096)
        bytes[at] = 0x5a;
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> reads{0};
    std::atomic<std::uint64_t> wrong{0};
    std::thread reader([&] {
        for (std::uint64_t at = 0; !stop; at = (at + 4096) % where.bytes) {
            wrong += read(bytes + at) == 0x5a ? 0U : 1U;
            ++reads;
        }
    });
    while (reads == 0) {
    }
    int failed = 0;
    for (int i = 0; i != swaps; ++i)
        for (const permissions allowed :
             {permissions::read, permissions::read_execute, permissions::read_write})
            failed += backing.replace_view(region, allowed) ? 0 : 1;
    stop = true;
    reader.join();
    BOOST_TEST(failed == 0);
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(reads > 1u);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(threads_that_place_in_one_range_get_places_apart) {
    memfd backing;
    range window;
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::vector<memfd::region> got[2];
    std::atomic<int> other_errors{0};
    const auto fill = [&](std::vector<memfd::region>& mine, char sign) {
        mine.reserve(256);
        ++ready;
        while (!go) {
        }
        for (;;) {
            auto made = backing.map({.bytes = 4096, .within = window});
            if (!made) {
                other_errors += made.error() == error{errc::out_of_memory} ? 0 : 1;
                return;
            }
            *reinterpret_cast<volatile char*>(backing.where(*made).base) = sign;
            mine.push_back(*made);
        }
    };
    std::thread first([&] { fill(got[0], 'a'); });
    std::thread second([&] { fill(got[1], 'b'); });
    while (ready != 2) { // their stacks and heaps are mapped
    }
    auto probe = backing.map({.bytes = 256 << 12, .alignment = 256 << 12}).value();
    window = backing.where(probe);
    const bool is_free = backing.unmap(probe).has_value();
    go = true;
    first.join();
    second.join();
    BOOST_TEST(is_free);
    BOOST_TEST(other_errors == 0);
    // What is mapped elsewhere meanwhile may have landed in the window, but only little.
    BOOST_TEST(got[0].size() + got[1].size() <= 256u);
    BOOST_TEST(got[0].size() + got[1].size() >= 200u);
    for (int side = 0; side != 2; ++side)
        for (auto& region : got[side]) {
            const range where = backing.where(region);
            BOOST_TEST(window.contains(where));
            BOOST_TEST(*reinterpret_cast<volatile char*>(where.base) == "ab"[side]);
            BOOST_TEST(backing.unmap(region).has_value());
        }
}

} // namespace
