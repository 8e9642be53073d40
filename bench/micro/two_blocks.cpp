// SPDX-License-Identifier: MIT
// Two threads share a pool of two blocks, and each holds at most one. Does an allocation ever fail?
//
// There is always a place for it, but while it is searched the other thread may move from one place
// to the other and back.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/atomic.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "question.hpp"
#include "side_by_side.hpp"
#include "worn_heap.hpp"

namespace palloc::bench::micro {
namespace {

std::string name(std::size_t block_granules) {
    return fmt::format("two_blocks/{}_granule{}", block_granules, block_granules == 1 ? "" : "s");
}

void come_and_go(benchmark::State& state, std::uint64_t bytes) {
    struct alignas(64) count {
        std::uint64_t failures = 0;
    };
    std::array<count, pair_of_threads::size> counted;
    lent_pool<atomic, first_fit> pool;
    lend(pool, 2 * bytes);
    const auto attempts = state.max_iterations;
    while (state.KeepRunningBatch(attempts)) {
        lap all;
        std::uint64_t undisturbed = 0;
        while (all.steps < static_cast<std::uint64_t>(attempts)) {
            const lap next = run_lap(counted.size(), [&](std::size_t thread) {
                if (const auto block = pool.allocate(bytes))
                    (void)pool.deallocate(*block, bytes);
                else
                    ++counted[thread].failures;
            });
            all.steps += next.steps;
            all.seconds += next.seconds;
            undisturbed += next.undisturbed() ? next.steps : 0;
        }
        state.SetIterationTime(all.seconds);
        state.counters["undisturbed%"] =
            100 * static_cast<double>(undisturbed) / static_cast<double>(all.steps);
    }
    state.counters["failures"] = static_cast<double>(counted[0].failures + counted[1].failures);
}

experiment coming_and_going(std::size_t block_granules) {
    return {
        .name = name(block_granules),
        .measure =
            [=](benchmark::State& state) { come_and_go(state, block_granules * granule_bytes); },
        .times_itself = true,
        .iterations = 10'000'000, // attempts
        .repetitions = 1};
}

bar never_fails(std::string text, std::size_t block_granules) {
    return {.text = std::move(text),
            .wanted = demand::at_most,
            .limit = 0,
            .unit = " failures",
            .value = {name(block_granules), "failures"}};
}

} // namespace

question ask_two_blocks() {
    return {{coming_and_going(1), coming_and_going(32), coming_and_going(100)},
            {never_fails("two blocks within one word, two threads, 10^7 attempts", 1),
             never_fails("two blocks of half a word each, two threads, 10^7 attempts", 32),
             never_fails("two blocks of 100 granules, two threads, 10^7 attempts", 100)}};
}

} // namespace palloc::bench::micro
