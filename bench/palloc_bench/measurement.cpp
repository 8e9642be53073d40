// SPDX-License-Identifier: MIT
#include "measurement.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
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

std::unique_ptr<contender> make_for(const trace& program, const composition& pool) {
    return pool.make({program.peak_live_bytes, program.largest_bytes, program.threads()});
}

measurement measure_here(const trace& program, const composition& pool,
                         std::chrono::nanoseconds budget) {
    if (program.threads() == 1)
        stay_on_one_processor();
    replayer replay(program);
    settle_memory();
    const std::uint64_t before = restart_peak_resident();
    const auto made = make_for(program, pool);
    measurement result;
    std::uint64_t resident = 0;
    result.outcome = replay.run(made->resource(), budget, [&] {
        resident = resident_bytes();
        result.fragmentation = made->fragmentation().value_or(measurement::unknown);
    });
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

std::uint64_t audit_here(const trace& program, const composition& pool,
                         std::chrono::nanoseconds budget) {
    const auto made = make_for(program, pool);
    auditing_resource audited(made->resource());
    (void)replayer(program).run(audited, budget);
    return audited.wrong_blocks();
}

std::chrono::milliseconds limit_of(std::chrono::nanoseconds budget) {
    return std::chrono::ceil<std::chrono::milliseconds>(budget) + grace;
}

} // namespace

tl::expected<measurement, std::string> measure(const trace& program, const composition& pool,
                                               std::chrono::nanoseconds budget) {
    auto got = run_in_child([&] { return measure_here(program, pool, budget); }, limit_of(budget));
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

tl::expected<void, std::string> audit(const trace& program, const composition& pool,
                                      std::chrono::nanoseconds budget) {
    const auto wrong =
        run_in_child([&] { return audit_here(program, pool, budget); }, limit_of(budget));
    if (!wrong)
        return tl::unexpected(wrong.error());
    if (*wrong != 0)
        return tl::unexpected(
            fmt::format("WRONG: {} blocks overlap another or are misaligned", *wrong));
    return {};
}

} // namespace palloc::bench
