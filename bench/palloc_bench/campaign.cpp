// SPDX-License-Identifier: MIT
#include "campaign.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "measurement.hpp"

namespace palloc::bench {
namespace {

using clock = std::chrono::steady_clock;

/// An audit looks for what measuring might miss; this share of a replay's time is enough.
constexpr int audit_share = 4;
/// Every figure of a round leans on the harness's time in it, so that is the median of several.
constexpr int harness_times_a_round = 3;

/// One thread never waits: its processor time is the time that passes on an idle machine, and on a
/// busy one the better figure. Threads wait for each other, and that counts.
double time_of(const trace& program, const replay_outcome& outcome) {
    return program.threads() == 1 ? outcome.cpu_ns : outcome.wall_ns;
}

/// What has been measured of one composition, or of the harness, so far.
struct series {
    std::vector<double> gross_ns; // an operation, harness included
    std::vector<double> cpu_ns;
    std::vector<double> peak_bytes;
    measurement last;
    refusals refused;
    std::string error;
    std::chrono::nanoseconds spent{0};

    [[nodiscard]] bool may_repeat(const campaign_options& options, bool decisive) const {
        const auto count = static_cast<std::int64_t>(gross_ns.size());
        if (!error.empty() || count == options.repetitions)
            return false;
        if (count == 0)
            return true;
        if (!last.outcome.complete || clock::now() >= options.end)
            return false;
        if (count < (decisive ? options.least_repetitions : options.least_repetitions_of_others))
            return true;
        return spent + spent / count <= (decisive ? options.decisive_cell_time : options.cell_time);
    }

    template <class Measure>
    void add(const trace& program, Measure measure_once) {
        const clock::time_point begin = clock::now();
        const tl::expected<measurement, std::string> got = measure_once();
        spent += clock::now() - begin;
        if (!got) {
            error = got.error();
            return;
        }
        last = *got;
        const auto operations =
            static_cast<double>(std::max<std::uint64_t>(last.outcome.record.operations, 1));
        gross_ns.push_back(time_of(program, last.outcome) / operations);
        cpu_ns.push_back(last.outcome.cpu_ns / operations);
        peak_bytes.push_back(static_cast<double>(last.peak_bytes));
    }
};

cell result_of(const series& measured, const trace& program, double harness_ns) {
    cell result;
    result.error = measured.error;
    if (!result.error.empty())
        return result;
    const player_record& record = measured.last.outcome.record;
    for (const double gross : measured.gross_ns)
        result.samples.push_back(std::max(gross - harness_ns, 0.0));
    result.gross_samples = measured.gross_ns;
    result.net_ns = summarize(result.samples);
    result.cpu_ns = summarize(measured.cpu_ns).median;
    result.operations = record.operations;
    result.completed = measured.last.outcome.complete
                           ? 1
                           : static_cast<double>(record.operations) /
                                 static_cast<double>(program.operation_count());
    result.peak_bytes = static_cast<std::uint64_t>(summarize(measured.peak_bytes).median);
    result.peak_live_bytes = program.peak_live_bytes_within(record.operations);
    if (!std::isnan(measured.last.fragmentation))
        result.fragmentation = measured.last.fragmentation;
    result.refused = record.refused;
    result.first_refused_at = record.first_refused_at;
    result.why_refused = measured.refused;
    result.peak_samples = measured.peak_bytes;
    return result;
}

/// The first replay of a composition is preceded by an audit.
tl::expected<measurement, std::string> audited_if(bool first, series& of, const trace& program,
                                                  const composition& pool,
                                                  const measuring_options& options) {
    if (first) {
        measuring_options shorter = options;
        // With a limit, what the audit sees is the answer that was asked for.
        if (options.limit_bytes == 0)
            shorter.budget /= audit_share;
        const auto right = audit(program, pool, shorter);
        if (!right)
            return tl::unexpected(right.error());
        of.refused = *right;
    }
    return measure(program, pool, options);
}

/// The order of a report: whole replays by time, then those cut, failed, skipped.
auto rank(const cell& c) {
    return std::tuple(!c.skipped.empty(), !c.error.empty(), !c.comparable(), c.net_ns.median,
                      c.pool->name);
}

/// Replays beside those that are timed: they take no part in the figures, so they come last.
void look_closer(trace_report& report, const trace& program, const campaign_options& options) {
    using detail = campaign_options::detail;
    const measuring_options how{options.replay_limit, options.limit_bytes, false};
    const std::vector<cell*> best = worth_a_closer_look(report, options.baseline);
    for (cell& each : report.cells) {
        const bool late = clock::now() >= options.end;
        const bool is_best = std::find(best.begin(), best.end(), &each) != best.end();
        const auto wanted = [&](detail what) {
            return each.measured() &&
                   (what == detail::of_all || (what == detail::of_the_best && is_best));
        };
        if (options.stop && options.stop(1)) {
            report.stopped = true;
            return;
        }
        const auto failed = [&each](const char* look, const std::string& why) {
            each.not_seen.push_back(std::string(look) + ": " + why);
        };
        if (wanted(options.latency)) {
            if (late)
                failed("latency", "no time was left");
            else if (const auto got = measure_latency(program, *each.pool, how))
                each.latency = *got;
            else
                failed("latency", got.error());
        }
        if (wanted(options.inspection)) {
            if (late)
                failed("memory over the run", "no time was left");
            else if (const auto got = inspect(program, *each.pool, how))
                each.inspected = std::make_shared<inspection>(*got);
            else
                failed("memory over the run", got.error());
        }
        if (options.perf && each.measured() && !late) {
            measuring_options counted = how;
            counted.perf = true;
            const auto got = measure(program, *each.pool, counted);
            if (!got)
                failed("counters", got.error());
            if (!got || got->outcome.record.operations == 0)
                continue;
            const auto operations = static_cast<double>(got->outcome.record.operations);
            const auto& perf = got->perf;
            each.perf = {perf.instructions < 0 ? -1 : perf.instructions / operations,
                         perf.cache_misses < 0 ? -1 : perf.cache_misses / operations,
                         perf.tlb_misses < 0 ? -1 : perf.tlb_misses / operations};
        }
    }
}

} // namespace

bool is_runnable(const composition& pool, std::size_t threads) noexcept {
    return threads <= 1 || pool.is_concurrent;
}

bool is_decisive(const composition& pool, std::string_view baseline) noexcept {
    return pool.role != standing::pool || pool.name == baseline;
}

double time_parts(std::span<const composition* const> pools, std::size_t threads,
                  std::string_view baseline) noexcept {
    double parts = 0;
    for (const composition* each : pools)
        if (is_runnable(*each, threads))
            parts += is_decisive(*each, baseline) ? decisive_weight : 1;
    return parts;
}

std::vector<cell*> worth_a_closer_look(trace_report& report, std::string_view baseline) {
    constexpr std::size_t fastest_ones = 5;
    std::vector<cell*> chosen;
    cell* leanest = nullptr;
    for (cell& each : report.cells) {
        if (!each.comparable())
            continue;
        if (leanest == nullptr || each.peak_bytes < leanest->peak_bytes)
            leanest = &each;
        if (chosen.size() < fastest_ones || is_decisive(*each.pool, baseline))
            chosen.push_back(&each);
    }
    if (leanest != nullptr && std::find(chosen.begin(), chosen.end(), leanest) == chosen.end())
        chosen.push_back(leanest);
    return chosen;
}

trace_report measure_all(const trace& program, std::span<const composition* const> pools,
                         const campaign_options& options) {
    series harness;
    std::vector<series> measured(pools.size());
    bool stopped = false;
    const std::size_t all = static_cast<std::size_t>(options.repetitions) * pools.size();
    std::size_t done = 0;
    const auto may_go_on = [&] {
        stopped = stopped || (options.stop &&
                              options.stop(static_cast<double>(done) / static_cast<double>(all)));
        return !stopped;
    };
    const auto how = [&](bool decisive) {
        return measuring_options{decisive ? options.decisive_replay_limit : options.replay_limit,
                                 options.limit_bytes, false};
    };
    campaign_options for_harness = options;
    for_harness.repetitions *= harness_times_a_round;
    for_harness.cell_time *= harness_times_a_round;
    const auto add_harness = [&] { // which is subtracted from all
        if (harness.may_repeat(for_harness, true))
            harness.add(program,
                        [&] { return measure_harness(program, options.decisive_replay_limit); });
        if (!harness.error.empty())
            throw std::runtime_error(program.name + ": the harness: " + harness.error);
    };
    const std::size_t between = pools.size() / harness_times_a_round + 1;
    std::vector<double> harness_of_rounds;
    for (int round = 0; round != options.repetitions; ++round) {
        const auto before = static_cast<std::ptrdiff_t>(harness.gross_ns.size());
        add_harness();
        std::size_t visited = 0;
        for (const bool decisive : {true, false})
            for (std::size_t i = 0; i != pools.size() && may_go_on(); ++i) {
                if (is_decisive(*pools[i], options.baseline) != decisive)
                    continue;
                ++done;
                if (++visited % between == 0)
                    add_harness();
                if (is_runnable(*pools[i], program.threads()) &&
                    measured[i].may_repeat(options, decisive))
                    measured[i].add(program, [&] {
                        return audited_if(round == 0, measured[i], program, *pools[i],
                                          how(decisive));
                    });
            }
        if (std::vector now(harness.gross_ns.begin() + before, harness.gross_ns.end());
            !now.empty())
            harness_of_rounds.push_back(summarize(std::move(now)).median);
    }

    trace_report report{program.name,
                        program.program,
                        program.operation_count(),
                        program.threads(),
                        program.peak_live_bytes,
                        program.peak_live_blocks,
                        summarize(harness.gross_ns).median,
                        {},
                        stopped,
                        std::move(harness_of_rounds)};
    for (std::size_t i = 0; i != pools.size(); ++i) {
        cell result;
        if (measured[i].gross_ns.empty() && measured[i].error.empty() && stopped)
            result.skipped = "stopped before";
        else if (!is_runnable(*pools[i], program.threads()))
            result.skipped = "needs one thread";
        else
            result = result_of(measured[i], program, report.harness_ns);
        result.pool = pools[i];
        report.cells.push_back(std::move(result));
    }
    std::sort(report.cells.begin(), report.cells.end(),
              [](const cell& a, const cell& b) { return rank(a) < rank(b); });
    if (!stopped)
        look_closer(report, program, options);
    return report;
}

} // namespace palloc::bench
