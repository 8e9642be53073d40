// SPDX-License-Identifier: MIT
/// @file
/// @brief The obvious way to choose a free run by its length.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "scene.hpp"

namespace palloc::test {

/// @brief The first legal position of the run that no other is better than, the lowest of equals.
template <class Better>
[[nodiscard]] std::optional<std::size_t> in_best_run(const scene& it, Better better) {
    const auto legal = it.positions();
    std::optional<granule_run> best;
    std::optional<std::size_t> place;
    for (const granule_run run : it.runs()) {
        const auto first = std::ranges::lower_bound(legal, run.first);
        if (first == legal.end() || *first >= run.last())
            continue;
        if (!best || better(run.count, best->count)) {
            best = run;
            place = *first;
        }
    }
    return place;
}

} // namespace palloc::test
