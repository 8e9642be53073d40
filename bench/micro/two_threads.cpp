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
#include <thread>
#include <utility>
#include <vector>

#include "question.hpp"
#include "worn_heap.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::uint64_t pool_bytes = 16 << 20;

std::string name(std::string_view what, int threads) {
    return fmt::format("shared/{}/{}_thread{}", what, threads, threads == 1 ? "" : "s");
}
std::string name(std::string_view algorithm, unsigned percent, int threads) {
    return name(fmt::format("{}/{}%", algorithm, percent), threads);
}

/// The threads wear the pool together, so that the holes are those of their sharing.
template <class Heap>
std::unique_ptr<Heap> worn_together(unsigned percent, int threads) {
    auto heap =
        std::make_unique<Heap>(pool_bytes, percent, worn_blocks<first_fit>(pool_bytes, percent),
                               static_cast<unsigned>(threads));
    std::vector<std::jthread> at_work;
    for (auto& share : heap->shares)
        at_work.emplace_back([&share] { share.wear(); });
    at_work.clear();
    return heap;
}

template <class Algorithm>
experiment replacing(std::string_view algorithm, unsigned percent, int threads) {
    using heap = worn_heap<lent_pool<atomic, Algorithm>>;
    const auto worn =
        std::make_shared<lazily<heap>>([=] { return worn_together<heap>(percent, threads); });
    return {.name = name(algorithm, percent, threads),
            .measure =
                [=](benchmark::State& state) {
                    auto& own = worn->get().shares[static_cast<std::size_t>(state.thread_index())];
                    for (auto _ : state)
                        own.template pair<no_clock>();
                    state.counters["held%"] = // of all threads: they are added up
                        100 * own.held_bytes() / static_cast<double>(pool_bytes);
                },
            .by = timing::wall,
            .threads = threads};
}

/// What the hardware allows: each thread sets and clears a bit of its own in the same word.
void change_one_word(benchmark::State& state) {
    static std::atomic<std::uint64_t> word = 0;
    const std::uint64_t own = std::uint64_t{1} << state.thread_index();
    const auto flip = [own] {
        std::uint64_t seen = word.load();
        while (!word.compare_exchange_weak(seen, seen ^ own)) {
        }
    };
    for (auto _ : state) {
        flip();
        flip();
    }
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
    question all;
    for (const int threads : {1, 2}) {
        for (const unsigned percent : {0U, 50U, 90U}) {
            all.experiments.push_back(replacing<spread>("spread", percent, threads));
            all.experiments.push_back(replacing<first_fit>("first_fit", percent, threads));
        }
        all.experiments.push_back({.name = name("same_word_cas", threads),
                                   .measure = change_one_word,
                                   .by = timing::wall,
                                   .threads = threads});
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
