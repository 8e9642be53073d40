// SPDX-License-Identifier: MIT
#include "campaign.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <tuple>

#include "measurement.hpp"

namespace palloc::bench {
namespace {

using clock = std::chrono::steady_clock;

/// An audit looks for what measuring might miss; this share of a replay's time is enough.
constexpr int audit_share = 4;

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
    std::string error;
    std::chrono::nanoseconds spent{0};

    [[nodiscard]] bool may_repeat(const campaign_options& options) const {
        const auto count = static_cast<std::int64_t>(gross_ns.size());
        if (!error.empty() || count == options.repetitions)
            return false;
        return count == 0 || (last.outcome.complete && spent + spent / count <= options.cell_time);
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
    return result;
}

bool needs_one_thread(const trace& program, const composition& pool) {
    return program.threads() > 1 && !pool.is_concurrent;
}

/// The first replay of a composition is preceded by an audit.
tl::expected<measurement, std::string> audited_if(bool first, const trace& program,
                                                  const composition& pool,
                                                  std::chrono::nanoseconds limit) {
    if (first)
        if (const auto right = audit(program, pool, limit / audit_share); !right)
            return tl::unexpected(right.error());
    return measure(program, pool, limit);
}

/// The order of a report: whole replays by time, then those cut, failed, skipped.
auto rank(const cell& c) {
    return std::tuple(!c.skipped.empty(), !c.error.empty(), !c.comparable(), c.net_ns.median,
                      c.pool->name);
}

} // namespace

trace_report measure_all(const trace& program, std::span<const composition* const> pools,
                         const campaign_options& options) {
    series harness;
    std::vector<series> measured(pools.size());
    for (int round = 0; round != options.repetitions; ++round) {
        if (harness.may_repeat(options))
            harness.add(program, [&] { return measure_harness(program, options.replay_limit); });
        if (!harness.error.empty())
            throw std::runtime_error(program.name + ": the harness: " + harness.error);
        for (std::size_t i = 0; i != pools.size(); ++i)
            if (!needs_one_thread(program, *pools[i]) && measured[i].may_repeat(options))
                measured[i].add(program, [&] {
                    return audited_if(round == 0, program, *pools[i], options.replay_limit);
                });
    }

    trace_report report{program.name,
                        program.program,
                        program.operation_count(),
                        program.threads(),
                        program.peak_live_bytes,
                        program.peak_live_blocks,
                        summarize(harness.gross_ns).median,
                        {}};
    for (std::size_t i = 0; i != pools.size(); ++i) {
        cell result;
        if (needs_one_thread(program, *pools[i]))
            result.skipped = "needs one thread";
        else
            result = result_of(measured[i], program, report.harness_ns);
        result.pool = pools[i];
        report.cells.push_back(std::move(result));
    }
    std::sort(report.cells.begin(), report.cells.end(),
              [](const cell& a, const cell& b) { return rank(a) < rank(b); });
    return report;
}

} // namespace palloc::bench
