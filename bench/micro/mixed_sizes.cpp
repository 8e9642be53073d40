// SPDX-License-Identifier: MIT
// What does replacing a block take in a pool that has long been in use, with sizes uniform between
// 64 and 4096 bytes, and how does that grow with the pool?
//
// A pair is timed by itself: reading the clock costs more than drawing lots for the next one would
// disturb, but is known, and is subtracted. So are neither failed attempts timed nor the harness.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/genalloc.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <fmt/format.h>
#include <memory>
#include <string_view>
#include <vector>

#include "palloc_bench/statistics.hpp"
#include "question.hpp"
#include "worn_heap.hpp"

namespace palloc::bench::micro {
namespace {

using stopwatch = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

/// What reading the clock twice adds to a time.
seconds clock_cost() {
    std::vector<double> gaps(1001);
    for (double& gap : gaps) {
        const auto begin = stopwatch::now();
        gap = seconds(stopwatch::now() - begin).count();
    }
    return seconds(summarize(gaps).median);
}

/// The kernel's pool by the names that the harness uses.
struct kernel_pool {
    genalloc pool{{.order = 6}};

    [[nodiscard]] auto allocate(std::uint64_t bytes) noexcept { return pool.alloc(bytes); }
    auto deallocate(address where, std::uint64_t bytes) noexcept { return pool.free(where, bytes); }
    auto add(borrowed::adoption given) noexcept {
        return pool.add(given.where.base, given.where.bytes);
    }
};
result<address> allocate_at(kernel_pool& it, block wanted) {
    return it.pool.alloc(wanted.bytes, fixed(wanted.where - heap_base));
}

struct pool_size {
    std::string_view name;
    std::uint64_t bytes;
};
constexpr std::array pool_sizes{pool_size{"1MiB", 1 << 20}, pool_size{"16MiB", 16 << 20},
                                pool_size{"256MiB", 256 << 20}, pool_size{"1GiB", 1 << 30}};

template <class Algorithm>
constexpr std::string_view name_of = "first_fit";
template <>
constexpr std::string_view name_of<best_fit> = "best_fit";

template <class Algorithm>
std::string name(std::string_view bitmap, std::string_view size, unsigned percent) {
    return fmt::format("{}/{}/{}/{}%", name_of<Algorithm>, bitmap, size, percent);
}

/// Of pairs that take up to a millisecond, and much less where the block is small: so many that the
/// quickest repetition is not the one with the smallest blocks.
constexpr std::int64_t many = 100;

template <class Algorithm, class Pool>
experiment replacing(std::string_view bitmap, pool_size size, unsigned percent,
                     std::int64_t pairs = 0) {
    using heap = worn_heap<Pool>;
    const auto worn = std::make_shared<lazily<heap>>([=] {
        return std::make_unique<heap>(size.bytes, percent,
                                      worn_blocks<Algorithm>(size.bytes, percent));
    });
    return {.name = name<Algorithm>(bitmap, size.name, percent),
            .measure =
                [=](benchmark::State& state) {
                    auto& blocks = worn->get().shares.front();
                    const seconds not_ours = clock_cost();
                    for (auto _ : state)
                        state.SetIterationTime(
                            (seconds(blocks.template pair<stopwatch>()) - not_ours).count());
                    state.counters["held%"] =
                        100 * blocks.held_bytes() / static_cast<double>(size.bytes);
                    state.counters["failed%"] = 100 * blocks.failure_share();
                },
            .times_itself = true,
            .iterations = pairs};
}

template <class Algorithm>
void ask(question& all, double least_gain) {
    for (const pool_size& size : pool_sizes)
        for (const unsigned percent : {50U, 90U})
            all.experiments.push_back(
                replacing<Algorithm, lent_pool<indexed, Algorithm>>("indexed", size, percent));
    all.experiments.push_back(
        replacing<Algorithm, lent_pool<flat, Algorithm>>("flat", pool_sizes.back(), 90, many));

    const reading indexed_1_gib{name<Algorithm>("indexed", "1GiB", 90)};
    all.bars.push_back(
        {.text = fmt::format("{}, 1 GiB, 90 %: time over flat / over indexed", name_of<Algorithm>),
         .wanted = demand::at_least,
         .limit = least_gain,
         .value = {name<Algorithm>("flat", "1GiB", 90)},
         .per = indexed_1_gib});
    all.bars.push_back(
        {.text = fmt::format("{} over indexed, 90 %: time at 1 GiB - at 1 MiB", name_of<Algorithm>),
         .wanted = demand::at_most,
         .limit = 3,
         .unit = " cache misses",
         .value = indexed_1_gib,
         .minus = reading{name<Algorithm>("indexed", "1MiB", 90)},
         .per = reading{"cache_miss/1GiB"}});
}

} // namespace

question ask_mixed_sizes() {
    question all;
    ask<first_fit>(all, 1000);
    ask<best_fit>(all, 500);
    constexpr pool_size quarter = pool_sizes[2];
    all.experiments.push_back(
        replacing<first_fit, lent_pool<flat, first_fit>>("flat", quarter, 90, many));
    all.experiments.push_back(replacing<first_fit, kernel_pool>("genalloc", quarter, 90));
    all.bars.push_back({.text = "first_fit, 256 MiB, 90 %: time over flat / of genalloc",
                        .wanted = demand::at_least,
                        .limit = 100,
                        .value = {name<first_fit>("flat", quarter.name, 90)},
                        .per = reading{name<first_fit>("genalloc", quarter.name, 90)}});
    return all;
}

} // namespace palloc::bench::micro
