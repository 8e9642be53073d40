// SPDX-License-Identifier: MIT
/// @file
/// @brief What the figures say: winners, and whether the presets are ahead of the standard library.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "campaign.hpp"

namespace palloc::bench {

/// @brief The comparable cell with the least time, the leaner one of equals, or null.
[[nodiscard]] const cell* fastest(const trace_report& report);
/// @brief The comparable cell with the least peak memory, the faster one of equals, or null.
[[nodiscard]] const cell* leanest(const trace_report& report);

/// @brief Each comparable cell that needs less memory than all that are as fast or faster, by time;
///   of equals the first.
[[nodiscard]] std::vector<const cell*> pareto_front(const trace_report& report);

/// @brief Which one to have, and why.
struct recommendation {
    const cell* winner = nullptr; ///< null: nothing replayed the trace to its end
    std::string reason;           ///< whole sentences
};

/// @brief The fastest cell that holds at most a quarter more memory than the leanest one; of those
///   as fast the leaner one, of equals the first.
/// @param baseline  what the reason compares with; by default the standard library's pool for as
///   many threads
[[nodiscard]] recommendation recommend(const trace_report& report, std::string_view baseline = {});

/// @brief The cell of that name, or null.
[[nodiscard]] const cell* find_cell(const trace_report& report, std::string_view name);

/// @brief The standard library's pool for one thread, or for several.
[[nodiscard]] std::string_view usual_baseline(bool threaded) noexcept;

/// @brief A preset against the baseline that serves the same number of threads.
struct contest {
    std::string_view preset;
    std::string_view baseline;
    bool threaded = false;
    std::size_t traces = 0; ///< with that many threads, on which both were replayed
    std::size_t faster = 0;
    std::size_t no_larger = 0; ///< no more peak memory
    std::size_t replays = 0;   ///< behind each of the figures compared, at least

    /// @brief Faster on every trace, with no more memory on at least half of them.
    [[nodiscard]] bool won() const noexcept {
        return traces != 0 && faster == traces && 2 * no_larger >= traces;
    }
};

/// @brief One contest for each preset and kind of trace that occurs. A preset that did not replay
///   a trace to its end was not faster on it.
[[nodiscard]] std::vector<contest> contests(std::span<const trace_report> reports);

} // namespace palloc::bench
