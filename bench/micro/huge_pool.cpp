// SPDX-License-Identifier: MIT
// What does a pool over 64 TiB of addresses, in granules of 4 KiB, take until it is used?
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>

#include "palloc_bench/process_memory.hpp"
#include "question.hpp"

namespace palloc::bench::micro {
namespace {

using huge_pool = pool<static_granule<4096>, fake_demand_paged, indexed, first_fit, unprotected>;

constexpr std::uint64_t pool_bytes = std::uint64_t{64} << 40;
constexpr const char* name = "64TiB/indexed";

void create(benchmark::State& state) {
    using milliseconds = std::chrono::duration<double, std::milli>;
    double longest_ms = 0;
    double most_resident_kib = 0;
    double most_used_kib = 0;
    for (auto _ : state) {
        fake_space space;
        const auto resident_before = static_cast<double>(resident_bytes());
        const auto grown_kib = [&] {
            return (static_cast<double>(resident_bytes()) - resident_before) / 1024;
        };
        const auto begin = std::chrono::steady_clock::now();
        huge_pool pool({}, {}, fake_demand_paged(space));
        if (!pool.grow(pool_bytes))
            throw std::runtime_error("no room for the books of 64 TiB");
        const milliseconds taken = std::chrono::steady_clock::now() - begin;
        state.SetIterationTime(taken.count() / 1000);
        longest_ms = std::max(longest_ms, taken.count());
        most_resident_kib = std::max(most_resident_kib, grown_kib());
        if (const auto block = pool.allocate(1))
            (void)pool.deallocate(*block, 1);
        most_used_kib = std::max(most_used_kib, grown_kib());
    }
    state.counters["created_ms"] = longest_ms;
    state.counters["resident_KiB"] = most_resident_kib;
    state.counters["after_a_pair_KiB"] = most_used_kib;
}

} // namespace

question ask_huge_pool() {
    return {{{.name = name, .measure = create, .times_itself = true, .iterations = 1}},
            {{.text = "pool of 64 TiB: created in",
              .wanted = demand::at_most,
              .limit = 50,
              .unit = " ms",
              .value = {name, "created_ms"}},
             {.text = "pool of 64 TiB: resident until used",
              .wanted = demand::at_most,
              .limit = 1024,
              .unit = " KiB",
              .value = {name, "resident_KiB"}}}};
}

} // namespace palloc::bench::micro
