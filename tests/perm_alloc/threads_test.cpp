// SPDX-License-Identifier: MIT
// Several threads allocate, write and free; others execute what is patched under them.
#include <palloc/perm_alloc.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include "machine_code.hpp"

using namespace palloc;
using namespace palloc::test;

namespace {
using function = int();
}

BOOST_AUTO_TEST_SUITE(perm_alloc_and_threads)

BOOST_AUTO_TEST_CASE(aligned_words_are_patched_while_others_execute_them) {
    perm_alloc code;
    const auto text = counting_code();
    const auto block = code.allocate({.bytes = text.size()}).value();
    BOOST_TEST_REQUIRE(block.write(0, text).has_value());
    std::atomic<bool> done = false;
    std::atomic<int> torn = 0;
    std::atomic<int> calls = 0;
    std::vector<std::thread> callers;
    for (int i = 0; i != 2; ++i)
        callers.emplace_back([&] {
            while (!done) {
                const auto seen = static_cast<std::uint32_t>(block.entry<function>()());
                torn += is_counted(seen) ? 0 : 1;
                ++calls;
            }
        });
    while (calls < 2) {
    }
    int good = 0;
    for (std::uint32_t i = 0; i != 5000; ++i) {
        const std::uint32_t k = i % 255 + 1;
        if (i % 2 == 0) {
            good += block.patch(counter_offset, counts_to(k)).has_value() ? 1 : 0;
        } else {
            auto writer = block.open();
            good += writer && writer->put(counter_offset, counts_to(k)) && writer->commit() ? 1 : 0;
        }
        // The cores are synchronised: nobody executes the old value any more.
        torn += static_cast<std::uint32_t>(block.entry<function>()()) != counted(k) ? 1 : 0;
    }
    done = true;
    for (auto& each : callers)
        each.join();
    BOOST_TEST(good == 5000);
    BOOST_TEST(torn == 0);
    BOOST_TEST(code.free(block).has_value());
}

BOOST_AUTO_TEST_CASE(opening_from_two_threads_loses_nobodys_bytes) {
    perm_alloc code;
    const auto block = code.allocate({.bytes = 64}).value();
    BOOST_TEST_REQUIRE(block.write(0, std::vector(64, std::byte{0})).has_value());
    std::vector<std::thread> writers;
    std::atomic<int> bad = 0;
    for (unsigned i = 0; i != 4; ++i)
        writers.emplace_back([&, i] {
            for (unsigned n = 1; n <= 500; ++n) {
                auto writer = block.open(); // of all, though each minds its own bytes only
                bad += writer && writer->put(i, static_cast<std::uint8_t>(n)) && writer->commit()
                           ? 0
                           : 1;
                bad += *reinterpret_cast<volatile std::uint8_t*>(block.address() + i) !=
                               static_cast<std::uint8_t>(n)
                           ? 1
                           : 0;
            }
        });
    for (auto& each : writers)
        each.join();
    BOOST_TEST(bad == 0);
    BOOST_TEST(code.free(block).has_value());
}

BOOST_AUTO_TEST_CASE(threads_allocate_write_call_and_free) {
    perm_alloc code;
    std::vector<std::thread> threads;
    std::atomic<int> bad = 0;
    for (int t = 0; t != 3; ++t)
        threads.emplace_back([&, t] {
            std::vector<std::pair<perm_alloc::allocation, int>> own;
            for (int n = 0; n != 2000; ++n) {
                const int value = t * 1'000'000 + n;
                const auto block = code.allocate({.bytes = 16u + static_cast<unsigned>(n % 900)});
                if (!block || !block->write(0, returns(value))) {
                    ++bad;
                    continue;
                }
                own.emplace_back(*block, value);
                const auto& [old, expected] = own[static_cast<std::size_t>(n) % own.size()];
                bad += old.entry<function>()() != expected ? 1 : 0;
                if (n % 3 == 0) {
                    bad += code.free(own.back().first) ? 0 : 1;
                    own.pop_back();
                }
            }
            for (const auto& [block, value] : own)
                bad += block.entry<function>()() == value && code.free(block) ? 0 : 1;
        });
    for (auto& each : threads)
        each.join();
    BOOST_TEST(bad == 0);
    BOOST_TEST(code.as_pool().used_bytes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
