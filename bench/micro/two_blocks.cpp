// SPDX-License-Identifier: MIT
// Two threads share a pool of two blocks, and each holds at most one. Does an allocation ever fail?
//
// There is always a place for it, but while it is searched the other thread may move from one place
// to the other and back.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/atomic.hpp>

#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>

#include "question.hpp"
#include "worn_heap.hpp"

namespace palloc::bench::micro {
namespace {

using shared_pool = lent_pool<atomic, first_fit>;

constexpr std::int64_t attempts = 10'000'000;
constexpr int threads = 2;

std::string name(std::size_t block_granules) {
    return fmt::format("two_blocks/{}_granule{}", block_granules, block_granules == 1 ? "" : "s");
}

experiment come_and_go(std::size_t block_granules) {
    const std::uint64_t bytes = block_granules * granule_bytes;
    const auto blocks = std::make_shared<lazily<shared_pool>>([=] {
        auto fresh = std::make_unique<shared_pool>();
        lend(*fresh, 2 * bytes);
        return fresh;
    });
    return {.name = name(block_granules),
            .measure =
                [=](benchmark::State& state) {
                    shared_pool& pool = blocks->get();
                    std::int64_t failures = 0;
                    for (auto _ : state)
                        if (const auto block = pool.allocate(bytes))
                            (void)pool.deallocate(*block, bytes);
                        else
                            ++failures;
                    state.counters["failures"] = static_cast<double>(failures);
                    state.counters["attempts"] = static_cast<double>(state.iterations());
                },
            .by = timing::wall,
            .threads = threads,
            .iterations = attempts / threads,
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
    return {{come_and_go(1), come_and_go(100)},
            {never_fails("two blocks within one word, two threads, 10^7 attempts", 1),
             never_fails("two blocks of 100 granules, two threads, 10^7 attempts", 100)}};
}

} // namespace palloc::bench::micro
