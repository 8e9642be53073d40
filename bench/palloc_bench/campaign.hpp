// SPDX-License-Identifier: MIT
/// @file
/// @brief All compositions on one trace: repetitions, time budget, and what came out.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "composition.hpp"
#include "measurement.hpp"
#include "statistics.hpp"
#include "trace.hpp"

namespace palloc::bench {

struct campaign_options {
    int repetitions = 7;
    std::chrono::nanoseconds replay_limit = std::chrono::seconds(2); ///< a longer replay is cut
    /// A cell is replayed once, and again while that is likely to stay within this time.
    std::chrono::nanoseconds cell_time = std::chrono::hours(24);
    /// The same for a cell that a conclusion rests on: a preset, a baseline. Where its first replay
    /// was whole it gets `least_repetitions`, whatever they take.
    std::chrono::nanoseconds decisive_replay_limit = replay_limit;
    std::chrono::nanoseconds decisive_cell_time = cell_time;
    int least_repetitions = 1;
    int least_repetitions_of_others = 1; ///< the same for all other cells
    /// Nothing is repeated, and nothing looked into, that would begin later.
    std::chrono::steady_clock::time_point end = std::chrono::steady_clock::time_point::max();
    std::uint64_t limit_bytes = 0; ///< not 0: all the memory that a composition gets
    bool perf = false;
    /// Of which cells the latency is taken, and which are looked into.
    enum class detail : std::uint8_t { none, of_the_best, of_all };
    detail latency = detail::none;
    detail inspection = detail::none;
    std::string_view baseline = {}; ///< name; one of those looked into
    /// Called before every replay; true: no further one is to begin.
    std::function<bool(double share_done)> stop = {};
};

/// @brief One composition on one trace.
struct cell {
    const composition* pool = nullptr;
    std::string error;   ///< not empty: there is no figure, and why
    std::string skipped; ///< not empty: was not tried, and why

    summary net_ns;                         ///< an operation; the harness's own cost subtracted
    std::vector<double> samples;            ///< the same of each repetition
    std::vector<double> gross_samples = {}; ///< the same, the harness's cost included
    double cpu_ns = 0; ///< an operation, of all threads together, harness included
    std::uint64_t operations = 0;
    double completed = 0; ///< share of the trace that was replayed; less than 1: cut
    std::uint64_t peak_bytes = 0;
    std::uint64_t peak_live_bytes = 0;
    std::optional<double> fragmentation;
    std::uint64_t refused = 0; ///< allocations answered by `bad_alloc`
    std::uint64_t first_refused_at = player_record::no_fault; ///< operation of its thread
    refusals why_refused;                                     ///< as the audit saw them
    std::vector<double> peak_samples;
    std::optional<perf_figures> perf; ///< an operation
    std::optional<latency_report> latency;
    std::shared_ptr<const palloc::bench::inspection> inspected;
    std::vector<std::string> not_seen; ///< which closer looks failed, and why

    [[nodiscard]] bool measured() const noexcept { return error.empty() && skipped.empty(); }
    [[nodiscard]] bool cut() const noexcept { return completed < 1; }
    /// @brief Replayed the whole trace and served every request: may be compared with others.
    [[nodiscard]] bool comparable() const noexcept { return measured() && !cut() && refused == 0; }
    [[nodiscard]] double overhead() const noexcept {
        return static_cast<double>(peak_bytes) / static_cast<double>(peak_live_bytes);
    }
};

struct trace_report {
    std::string trace;
    std::string program;
    std::size_t operations = 0;
    std::size_t threads = 0;
    std::uint64_t peak_live_bytes = 0;
    std::uint64_t peak_live_blocks = 0;
    double harness_ns = 0;                    ///< what was subtracted from each operation
    std::vector<cell> cells;                  ///< fastest first; then those cut, wrong, skipped
    bool stopped = false;                     ///< before all replays were done
    std::vector<double> harness_samples = {}; ///< ns an operation, of each round
};

/// @brief Whether `pool` can replay a trace of so many threads.
[[nodiscard]] bool is_runnable(const composition& pool, std::size_t threads) noexcept;

/// @brief Whether what is concluded rests on its figure: presets and baselines.
[[nodiscard]] bool is_decisive(const composition& pool, std::string_view baseline) noexcept;

/// @brief So many times the time of another cell one gets that decides.
inline constexpr double decisive_weight = 5;

/// @brief How many parts of the time a trace of so many threads gets: one for each composition that
/// can replay it, `decisive_weight` for those that decide.
[[nodiscard]] double time_parts(std::span<const composition* const> pools, std::size_t threads,
                                std::string_view baseline) noexcept;

/// @brief The cells that a report shows in detail: the fastest, the leanest, presets, baselines.
[[nodiscard]] std::vector<cell*> worth_a_closer_look(trace_report& report,
                                                     std::string_view baseline);

/// @brief Measures every composition on `program`, round by round, so that a noisy minute of the
///   machine falls on all of them alike; those that decide go first. What was cut or failed is not
///   repeated. The harness itself is measured several times a round.
/// @par Errors  throws `std::runtime_error` where the harness itself cannot be measured
[[nodiscard]] trace_report measure_all(const trace& program,
                                       std::span<const composition* const> pools,
                                       const campaign_options& options);

} // namespace palloc::bench
