// SPDX-License-Identifier: MIT
// What do two threads gain over one on a pool that they share without a lock?
//
// 16 MiB, sizes uniform between 64 and 4096 bytes, each thread replacing its own half of the
// blocks. The time is wall time by pairs of either thread; the harness's own part is in it.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/spread.hpp>
#include <palloc/bitmaps/atomic.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "question.hpp"
#include "side_by_side.hpp"
#include "worn_heap.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::uint64_t pool_bytes = 16 << 20;

std::string name(std::string_view what, std::size_t threads) {
    return fmt::format("shared/{}/{}_thread{}", what, threads, threads == 1 ? "" : "s");
}
std::string name(std::string_view algorithm, unsigned percent, std::size_t threads) {
    return name(fmt::format("{}/{}%", algorithm, percent), threads);
}

/// The time of an iteration is that by steps of either thread.
template <class Step>
void time_steps(benchmark::State& state, std::size_t threads, Step&& step) {
    for (auto _ : state) {
        const lap all = run_laps(threads, step);
        state.SetIterationTime(all.seconds / static_cast<double>(all.steps));
        state.counters["on_cpu%"] = 100 * all.on_processor;
    }
}

/// The threads wear the pool together, so that the holes are those of their sharing.
template <class Heap>
std::unique_ptr<Heap> worn_together(unsigned percent, std::size_t threads) {
    auto heap = std::make_unique<Heap>(pool_bytes, percent,
                                       worn_blocks<first_fit>(pool_bytes, percent), threads);
    both_threads().run(threads, [&](std::size_t i) { heap->shares[i].wear(); });
    return heap;
}

template <class Algorithm>
experiment replacing(std::string_view algorithm, unsigned percent, std::size_t threads) {
    using heap = worn_heap<lent_pool<atomic, Algorithm>>;
    const auto worn =
        std::make_shared<lazily<heap>>([=] { return worn_together<heap>(percent, threads); });
    return {.name = name(algorithm, percent, threads),
            .measure =
                [=](benchmark::State& state) {
                    auto& shares = worn->get().shares;
                    time_steps(state, threads,
                               [&](std::size_t i) { shares[i].template pair<no_clock>(); });
                    double held_bytes = 0;
                    for (const auto& share : shares)
                        held_bytes += share.held_bytes();
                    state.counters["held%"] = 100 * held_bytes / static_cast<double>(pool_bytes);
                },
            .times_itself = true,
            .iterations = 1};
}

/// What the hardware allows: each thread sets and clears a bit of its own in the same word.
experiment change_one_word(std::size_t threads) {
    return {.name = name("same_word_cas", threads),
            .measure =
                [=](benchmark::State& state) {
                    std::atomic<std::uint64_t> word = 0;
                    const auto flip = [&](std::uint64_t bit) {
                        std::uint64_t seen = word.load();
                        while (!word.compare_exchange_weak(seen, seen ^ bit)) {
                        }
                    };
                    time_steps(state, threads, [&](std::size_t i) {
                        flip(std::uint64_t{1} << i);
                        flip(std::uint64_t{1} << i);
                    });
                },
            .times_itself = true,
            .iterations = 1};
}

/// The time by pairs of one thread / of two.
bar gain(const std::string& what, std::string one_thread, std::string two_threads) {
    return {.text = what + ": throughput of two threads / of one",
            .value = {std::move(one_thread)},
            .per = reading{std::move(two_threads)}};
}
bar gain(std::string_view algorithm, unsigned percent) {
    return gain(fmt::format("{}, {} % held", algorithm, percent), name(algorithm, percent, 1),
                name(algorithm, percent, 2));
}

} // namespace

question ask_two_threads() {
    (void)both_threads(); // before other experiments' threads: these are to be numbers 0 and 1
    question all;
    for (const std::size_t threads : {1U, 2U}) {
        for (const unsigned percent : {0U, 50U, 90U}) {
            all.experiments.push_back(replacing<spread>("spread", percent, threads));
            all.experiments.push_back(replacing<first_fit>("first_fit", percent, threads));
        }
        all.experiments.push_back(change_one_word(threads));
    }
    for (const unsigned percent : {0U, 50U, 90U}) {
        bar promise = gain("spread", percent);
        promise.wanted = demand::at_least;
        promise.limit = 1.2;
        all.bars.push_back(std::move(promise));
    }
    for (const unsigned percent : {0U, 50U, 90U})
        all.bars.push_back(gain("first_fit", percent));
    all.bars.push_back(gain("bare compare-and-swap of one word", name("same_word_cas", 1),
                            name("same_word_cas", 2)));
    return all;
}

} // namespace palloc::bench::micro
