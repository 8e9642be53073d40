// SPDX-License-Identifier: MIT
// What does a load take that depends on the one before and misses every cache?
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "question.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::size_t line_words = 8;
constexpr unsigned lines_log2 = 24; // of 64 bytes: 1 GiB

/// Each address depends on the value that was loaded before it, which is always 0. The generator is
/// Knuth's (TAOCP 2, 3.3.4); its upper bits are the ones that look random.
void load(const std::vector<std::uint64_t>& lines, benchmark::State& state) {
    std::uint64_t at = 1;
    for (auto _ : state)
        at = at * 6364136223846793005 + 1442695040888963407 +
             lines[(at >> (64 - lines_log2)) * line_words];
    benchmark::DoNotOptimize(at);
}

} // namespace

question ask_cache_miss() {
    using memory = std::vector<std::uint64_t>;
    const auto lines = std::make_shared<lazily<memory>>(
        [] { return std::make_unique<memory>(line_words << lines_log2); });
    return {{{.name = "cache_miss/1GiB",
              .measure = [=](benchmark::State& state) { load(lines->get(), state); }}},
            {}};
}

} // namespace palloc::bench::micro
