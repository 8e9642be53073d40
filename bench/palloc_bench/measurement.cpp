// SPDX-License-Identifier: MIT
#include "measurement.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <sched.h>

#include "auditing_resource.hpp"
#include "child_process.hpp"
#include "null_resource.hpp"
#include "process_memory.hpp"

namespace palloc::bench {
namespace {

/// A child that has this much more than its budget hangs.
constexpr std::chrono::seconds grace{5};

void stay_on_one_processor() noexcept {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (std::size_t cpu = CPU_SETSIZE; cpu-- != 0;)
        if (CPU_ISSET(cpu, &allowed)) {
            CPU_ZERO(&allowed);
            CPU_SET(cpu, &allowed);
            (void)sched_setaffinity(0, sizeof allowed, &allowed);
            return;
        }
}

std::unique_ptr<contender> make_for(const trace& program, const composition& pool,
                                    std::uint64_t limit_bytes = 0) {
    return pool.make(
        {program.peak_live_bytes, program.largest_bytes, program.threads(), limit_bytes});
}

measurement measure_here(const trace& program, const composition& pool,
                         const measuring_options& options) {
    if (program.threads() == 1)
        stay_on_one_processor();
    std::optional<perf_counters> perf; // before the threads start, which are counted with
    if (options.perf)
        perf.emplace();
    replayer replay(program);
    settle_memory();
    const std::uint64_t before = restart_peak_resident();
    const auto made = make_for(program, pool, options.limit_bytes);
    measurement result;
    std::uint64_t resident = 0;
    if (perf)
        perf->start();
    result.outcome = replay.run(made->resource(), options.budget, [&] {
        resident = resident_bytes();
        result.fragmentation = made->fragmentation().value_or(measurement::unknown);
    });
    if (perf)
        result.perf = perf->stop();
    // The kernel's own peak may lack a few pages; the look at the worst moment has them.
    result.peak_bytes = std::max({peak_resident_bytes(), resident, before}) - before;
    return result;
}

measurement measure_harness_here(const trace& program, std::chrono::nanoseconds budget) {
    if (program.threads() == 1)
        stay_on_one_processor();
    null_resource nothing(program);
    measurement result;
    result.outcome = replayer(program).run(nothing, budget);
    return result;
}

struct audit_answer {
    std::uint64_t wrong = 0;
    refusals refused;
};

audit_answer audit_here(const trace& program, const composition& pool,
                        const measuring_options& options) {
    const auto made = make_for(program, pool, options.limit_bytes);
    const std::uint64_t all = options.limit_bytes == 0 ? ~std::uint64_t{0} : options.limit_bytes;
    audit_answer answer;
    auditing_resource audited(made->resource());
    audited.on_refusal([&](std::size_t bytes, std::size_t alignment, std::uint64_t live_bytes) {
        const refusal why =
            made->why_refused(bytes, alignment)
                .value_or(live_bytes + bytes > all ? refusal::full : refusal::fragmented);
        ++(why == refusal::full ? answer.refused.full : answer.refused.fragmented);
    });
    (void)replayer(program).run(audited, options.budget);
    answer.wrong = audited.wrong_blocks();
    return answer;
}

/// What the measuring of a call that does nothing takes.
double ticks_of_nothing(const trace& program, std::chrono::nanoseconds budget) {
    null_resource nothing(program);
    latency_resource timed(nothing, program.threads());
    (void)replayer(program).run(timed, budget);
    return static_cast<double>(timed.median_ticks());
}

latency_report latency_here(const trace& program, const composition& pool,
                            const measuring_options& options) {
    if (program.threads() == 1)
        stay_on_one_processor();
    constexpr int enough_for_a_median = 8;
    const double nothing = ticks_of_nothing(program, options.budget / enough_for_a_median);
    replayer replay(program);
    settle_memory();
    const auto made = make_for(program, pool, options.limit_bytes);
    latency_resource timed(made->resource(), program.threads());
    (void)replay.run(timed, options.budget);
    return timed.report(nothing, ns_a_tick());
}

inspection inspect_here(const trace& program, const composition& pool,
                        const measuring_options& options) {
    settle_memory();
    const auto made = make_for(program, pool, options.limit_bytes);
    return inspect(program, *made, options.budget);
}

std::chrono::milliseconds limit_of(std::chrono::nanoseconds budget) {
    return std::chrono::ceil<std::chrono::milliseconds>(budget) + grace;
}

} // namespace

tl::expected<measurement, std::string> measure(const trace& program, const composition& pool,
                                               const measuring_options& options) {
    auto got = run_in_child([&] { return measure_here(program, pool, options); },
                            limit_of(options.budget));
    if (!got)
        return got;
    const player_record& record = got->outcome.record;
    if (record.faults != 0)
        return tl::unexpected(fmt::format(
            "WRONG: {} blocks damaged or misaligned, the first at operation {}{}", record.faults,
            record.first_fault_at + 1, program.threads() == 1 ? "" : " of its thread"));
    return got;
}

tl::expected<measurement, std::string> measure_harness(const trace& program,
                                                       std::chrono::nanoseconds budget) {
    return run_in_child([&] { return measure_harness_here(program, budget); }, limit_of(budget));
}

tl::expected<refusals, std::string> audit(const trace& program, const composition& pool,
                                          const measuring_options& options) {
    const auto answer =
        run_in_child([&] { return audit_here(program, pool, options); }, limit_of(options.budget));
    if (!answer)
        return tl::unexpected(answer.error());
    if (answer->wrong != 0)
        return tl::unexpected(
            fmt::format("WRONG: {} blocks overlap another or are misaligned", answer->wrong));
    return answer->refused;
}

tl::expected<latency_report, std::string>
measure_latency(const trace& program, const composition& pool, const measuring_options& options) {
    return run_in_child([&] { return latency_here(program, pool, options); },
                        limit_of(options.budget));
}

tl::expected<inspection, std::string> inspect(const trace& program, const composition& pool,
                                              const measuring_options& options) {
    return run_in_child([&] { return inspect_here(program, pool, options); },
                        limit_of(options.budget));
}

} // namespace palloc::bench
