// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory_resource>
#include <palloc_bench/latency.hpp>
#include <utility>
#include <vector>

namespace bench = palloc::bench;

BOOST_AUTO_TEST_CASE(what_measuring_costs_is_subtracted_from_every_figure) {
    bench::latency_resource timed(*std::pmr::new_delete_resource(), 1);
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (std::size_t i = 0; i != 2000; ++i) {
        const std::size_t bytes = 1 + i % 700;
        blocks.emplace_back(timed.allocate(bytes), bytes);
    }
    for (const auto& [block, bytes] : blocks)
        timed.deallocate(block, bytes);

    const bench::latency_report raw = timed.report(0, 1);
    const auto cost = static_cast<double>(timed.median_ticks());
    BOOST_TEST(cost > 0);
    constexpr double ns = 0.5;
    const bench::latency_report net = timed.report(cost, ns);
    const auto less = [&](double ticks) { return std::max(ticks - cost, 0.0) * ns; };
    for (const auto& [before, after] :
         {std::pair(raw.allocate, net.allocate), {raw.release, net.release}}) {
        BOOST_TEST(before.calls == 2000u);
        BOOST_TEST(after.calls == 2000u);
        BOOST_TEST(after.p50 == less(before.p50));
        BOOST_TEST(after.p90 == less(before.p90));
        BOOST_TEST(after.p99 == less(before.p99));
        BOOST_TEST(after.p999 == less(before.p999));
        BOOST_TEST(after.max == less(before.max));
    }
    std::uint64_t calls = 0;
    for (std::size_t i = 0; i != raw.by_size.size(); ++i) {
        BOOST_TEST(net.by_size[i].calls == raw.by_size[i].calls);
        BOOST_TEST(net.by_size[i].mean_ns ==
                   (raw.by_size[i].calls == 0 ? 0 : less(raw.by_size[i].mean_ns)));
        calls += net.by_size[i].calls;
    }
    BOOST_TEST(calls == 2000u);
}
