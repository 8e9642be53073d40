// SPDX-License-Identifier: MIT
/// @file
/// @brief Results made by hand, for tests of what is concluded from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <palloc_bench/campaign.hpp>
#include <string>
#include <utility>
#include <vector>

namespace palloc::test {

inline const bench::composition unsynchronized_pool{"std::pmr::unsynchronized_pool_resource", "",
                                                    nullptr, bench::standing::baseline};
inline const bench::composition synchronized_pool{"std::pmr::synchronized_pool_resource", "",
                                                  nullptr, bench::standing::baseline, true};
inline const bench::composition general{"general", "", nullptr, bench::standing::preset};
inline const bench::composition shared{"shared", "", nullptr, bench::standing::preset, true};
inline const bench::composition plain{"plain", "", nullptr};

inline bench::cell whole(const bench::composition& pool, double ns, std::uint64_t peak_bytes) {
    bench::cell made;
    made.pool = &pool;
    made.net_ns = {ns, 0.25};
    made.samples = {ns - 1, ns, ns + 1};
    made.cpu_ns = ns + 5;
    made.operations = 100;
    made.completed = 1;
    made.peak_bytes = peak_bytes;
    made.peak_live_bytes = 1000;
    return made;
}

inline bench::cell cut(bench::cell from) {
    from.completed = 0.37;
    return from;
}

inline bench::cell refusing(bench::cell from) {
    from.refused = 3;
    return from;
}

inline bench::cell failed(const bench::composition& pool, std::string why) {
    bench::cell made;
    made.pool = &pool;
    made.error = std::move(why);
    return made;
}

inline bench::cell skipped(const bench::composition& pool) {
    bench::cell made;
    made.pool = &pool;
    made.skipped = "needs one thread";
    return made;
}

inline bench::trace_report on(std::string trace, std::size_t threads,
                              std::vector<bench::cell> cells) {
    return {std::move(trace), "a program", 100, threads, 1000, 10, 4.5, std::move(cells)};
}

} // namespace palloc::test
