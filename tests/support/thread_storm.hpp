// SPDX-License-Identifier: MIT
/// @file
/// @brief Threads that allocate and free at random, and give each other blocks to free.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "allocator_life.hpp"
#include "random.hpp"

namespace palloc::test {

/// @brief Lets `count` threads live on the pool; at the end all is given back. Contents tell if two
/// blocks overlap. A failing step is counted, as Boost.Test may not be called by many threads.
template <concurrent_allocator Pool>
    requires touchable_allocator<Pool>
void storm(Pool& pool, std::size_t count, std::size_t steps, const demand& wanted = {}) {
    struct block {
        address base;
        layout asked;
        unsigned char mark;
    };
    std::mutex exchange;
    std::vector<block> handed_over;
    std::atomic<std::size_t> wrong = 0;

    const auto give_back = [&](const block& it) {
        const auto* const bytes = reinterpret_cast<const unsigned char*>(it.base);
        bool intact = true;
        for (std::uint64_t i = 0; i != it.asked.bytes; ++i)
            intact = intact && bytes[i] == it.mark;
        const bool taken = pool.deallocate(it.base, it.asked.bytes, it.asked.alignment).has_value();
        wrong += !intact || !taken;
    };
    const auto live = [&](std::size_t number) {
        random_source random(number);
        std::vector<block> mine;
        for (std::size_t i = 0; i != steps; ++i) {
            if (mine.empty() || random.below(200) >= mine.size()) {
                const layout asked = wanted.draw(random);
                const auto base = pool.allocate(asked.bytes, asked.alignment);
                const auto mark = static_cast<unsigned char>(random.bits());
                wrong += !base || *base % asked.alignment != 0 || !pool.owns(*base);
                if (base) {
                    std::memset(reinterpret_cast<void*>(*base), mark,
                                static_cast<std::size_t>(asked.bytes));
                    mine.push_back({*base, asked, mark});
                }
                continue;
            }
            std::swap(mine[random.below(mine.size())], mine.back());
            block gone = mine.back();
            mine.pop_back();
            if (random.chance(30)) { // by whoever comes next
                const std::scoped_lock alone(exchange);
                handed_over.push_back(gone);
                std::swap(handed_over[random.below(handed_over.size())], handed_over.back());
                gone = handed_over.back();
                handed_over.pop_back();
            }
            give_back(gone);
        }
        for (const block& rest : mine)
            give_back(rest);
    };

    std::vector<std::thread> threads;
    for (std::size_t i = 0; i != count; ++i)
        threads.emplace_back(live, i);
    for (std::thread& each : threads)
        each.join();
    for (const block& rest : handed_over)
        give_back(rest);
    BOOST_TEST_CONTEXT(random_source())
    BOOST_TEST(wrong == 0u);
}

} // namespace palloc::test
