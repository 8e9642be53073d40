// SPDX-License-Identifier: MIT
/// @file
/// @brief Your own compositions: a line in the list below, and palloc-bench measures it with the
///   others. docs/benchmarking.md tells more.
#pragma once

#include <palloc/palloc.hpp>

#include <cstddef>
#include <optional>

namespace palloc::bench {

/// @brief An example of an algorithm of one's own, a lambda: the free run that is found last.
inline constexpr auto from_the_top = [](const auto& map, const placement& wanted) {
    std::optional<std::size_t> found;
    for (auto run = map.next_free_run(wanted.from); run.count != 0;
         run = map.next_free_run(run.last()))
        if (run.count >= wanted.count)
            found = run.last() - wanted.count;
    return found;
};

} // namespace palloc::bench

// PALLOC_BENCH_POOL(name, type), each with a comma behind it.
// clang-format off
#define PALLOC_BENCH_OWN_COMPOSITIONS \
    PALLOC_BENCH_POOL("from_the_top-flat-mmap", pool<static_granule<64>, mmap_backing, flat, decltype(palloc::bench::from_the_top), unprotected>),
// clang-format on
