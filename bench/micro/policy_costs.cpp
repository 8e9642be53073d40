// SPDX-License-Identifier: MIT
// What does each policy add to a pair of 64 bytes? Called directly on an empty pool of 1 MiB.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/order_granule.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/observers/recorder.hpp>
#include <palloc/observers/statistics.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "question.hpp"
#include "worn_heap.hpp"

namespace palloc::bench::micro {
namespace {

template <class Pool>
void pairs(Pool& pool, benchmark::State& state) {
    lend(pool, 1 << 20);
    for (auto _ : state) {
        address block = *pool.allocate(granule_bytes);
        benchmark::DoNotOptimize(block);
        (void)pool.deallocate(block, granule_bytes);
    }
}

template <class Bitmap, class... Observers>
void pairs_over(benchmark::State& state) {
    lent_pool<Bitmap, first_fit, Observers...> pool({}, {}, {}, {}, {}, Observers{}...);
    pairs(pool, state);
}

template <class Granule>
void pairs_of(benchmark::State& state, Granule granule) {
    pool<Granule, borrowed, flat, first_fit, unprotected> pool({}, granule);
    pairs(pool, state);
}

/// So many that a recorder has room for all.
constexpr std::int64_t recorded_pairs = 100'000;

void pairs_recorded(benchmark::State& state) {
    static std::vector<trace_record> notes(2 * recorded_pairs);
    lent_pool<flat, first_fit, recorder> pool({}, {}, {}, {}, {}, recorder(notes));
    pairs(pool, state);
}

experiment row(std::string name, std::function<void(benchmark::State&)> measure) {
    return {.name = "policies/" + std::move(name), .measure = std::move(measure)};
}

} // namespace

question ask_policy_costs() {
    question all;
    all.experiments = {
        row("flat", pairs_over<flat>),
        row("flat, boundary", pairs_over<boundary<flat>>),
        row("flat, statistics", pairs_over<flat, statistics>),
        row("flat, order_granule",
            [](benchmark::State& state) { pairs_of(state, order_granule(6)); }),
        row("flat, sized_granule",
            [](benchmark::State& state) { pairs_of(state, sized_granule(granule_bytes)); }),
        row("flat, recorder", pairs_recorded),
        row("indexed", pairs_over<indexed>),
        row("indexed, boundary", pairs_over<boundary<indexed>>),
        row("atomic", pairs_over<atomic>),
        row("atomic, boundary", pairs_over<boundary<atomic>>),
        row("atomic, concurrent_statistics", pairs_over<atomic, concurrent_statistics>),
    };
    for (experiment& each : all.experiments)
        if (each.name.ends_with("recorder"))
            each.iterations = recorded_pairs;
    return all;
}

} // namespace palloc::bench::micro
