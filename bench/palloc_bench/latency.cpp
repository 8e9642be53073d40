// SPDX-License-Identifier: MIT
#include "latency.hpp"

#include <algorithm>
#include <chrono>

namespace palloc::bench {
namespace {

latency_figures figures_of(const tick_histogram& all, double overhead, double ns) noexcept {
    const auto net = [&](std::uint64_t value) {
        return std::max(static_cast<double>(value) - overhead, 0.0) * ns;
    };
    return {all.total(),
            net(all.quantile(0.5)),
            net(all.quantile(0.9)),
            net(all.quantile(0.99)),
            net(all.quantile(0.999)),
            net(all.largest())};
}

} // namespace

latency_report latency_resource::report(double overhead_ticks, double ns) const noexcept {
    tick_histogram allocate;
    tick_histogram release;
    latency_report made;
    std::array<double, trace_summary::classes> sums{};
    for (const record& each : records_) {
        allocate.add(each.allocate);
        release.add(each.release);
        for (std::size_t i = 0; i != sums.size(); ++i) {
            made.by_size[i].calls += each.calls[i];
            sums[i] += static_cast<double>(each.sum_ticks[i]);
        }
    }
    made.allocate = figures_of(allocate, overhead_ticks, ns);
    made.release = figures_of(release, overhead_ticks, ns);
    for (std::size_t i = 0; i != sums.size(); ++i)
        if (const auto calls = static_cast<double>(made.by_size[i].calls); calls != 0)
            made.by_size[i].mean_ns = std::max(sums[i] / calls - overhead_ticks, 0.0) * ns;
    return made;
}

std::uint64_t latency_resource::median_ticks() const noexcept {
    tick_histogram all;
    for (const record& each : records_) {
        all.add(each.allocate);
        all.add(each.release);
    }
    return all.quantile(0.5);
}

double ns_a_tick() noexcept {
    using clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds long_enough{5};
    const clock::time_point begin = clock::now();
    const std::uint64_t first = ticks();
    clock::time_point now = begin;
    while ((now = clock::now()) - begin < long_enough)
        ;
    const std::uint64_t last = ticks();
    return std::chrono::duration<double, std::nano>(now - begin).count() /
           static_cast<double>(last - first);
}

} // namespace palloc::bench
