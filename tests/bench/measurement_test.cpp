// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <nlohmann/json.hpp>
#include <palloc_bench/campaign.hpp>
#include <palloc_bench/json_report.hpp>
#include <palloc_bench/mapped_array.hpp>
#include <palloc_bench/measurement.hpp>
#include <palloc_bench/text_report.hpp>
#include <palloc_bench/trace_reader.hpp>

#include <sys/mman.h>

#include "trace_file.hpp"

namespace bench = palloc::bench;
using namespace std::chrono_literals;
using palloc::test::temporary_file;

namespace {

/// Passes on to the process's allocator; what else it does is in derived classes.
class forwarding_resource : public std::pmr::memory_resource {
  public:
    explicit forwarding_resource(std::pmr::memory_resource* = nullptr) {}

  protected:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }
};

/// Has touched 1000 pages before its first block.
class greedy_resource final : public forwarding_resource {
  public:
    using forwarding_resource::forwarding_resource;

  private:
    bench::mapped_array<std::byte> pages_{1000 * 4096, bench::residence::at_once};
};

class scribbling_resource final : public forwarding_resource {
  public:
    using forwarding_resource::forwarding_resource;

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (last_ != nullptr)
            *last_ ^= std::byte{1};
        return last_ = static_cast<std::byte*>(forwarding_resource::do_allocate(bytes, alignment));
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {} // so that all may be written
    std::byte* last_ = nullptr;
};

/// Gives half of what is asked for: most overlaps lie between the edges of blocks.
class stingy_resource final : public forwarding_resource {
  public:
    using forwarding_resource::forwarding_resource;

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        used_ = (used_ + alignment - 1) & ~(alignment - 1);
        std::byte* const block = arena_.data() + used_;
        used_ += bytes / 2;
        return block;
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    bench::mapped_array<std::byte> arena_{std::size_t{1} << 26};
    std::size_t used_ = 0;
};

class crashing_resource final : public forwarding_resource {
  public:
    using forwarding_resource::forwarding_resource;

  private:
    void do_deallocate(void*, std::size_t, std::size_t) override { _Exit(7); }
};

class refusing_resource final : public forwarding_resource {
  public:
    using forwarding_resource::forwarding_resource;

  private:
    void* do_allocate(std::size_t, std::size_t) override { throw std::bad_alloc(); }
};

/// How many processes have made a `late_crashing_resource`.
std::atomic<int>& processes_so_far =
    *::new (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
        std::atomic<int>(0);

/// Lives through the audit and one replay.
class late_crashing_resource final : public forwarding_resource {
  public:
    using forwarding_resource::forwarding_resource;

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (number_ > 2)
            _Exit(7);
        return forwarding_resource::do_allocate(bytes, alignment);
    }
    int number_ = ++processes_so_far;
};

class half_broken final : public bench::contender {
  public:
    explicit half_broken(const bench::demand&) {}
    std::pmr::memory_resource& resource() noexcept override { return resource_; }
    std::optional<double> fragmentation() const override { return 0.5; }

  private:
    forwarding_resource resource_;
};

template <class Resource>
constexpr auto make = bench::make_contender<bench::resource_contender<Resource>>;

const bench::composition plain{"plain", "", make<forwarding_resource>};
const bench::composition shared{"shared", "", make<forwarding_resource>, bench::standing::pool,
                                true};
const bench::composition greedy{"greedy", "", make<greedy_resource>};
const bench::composition scribbling{"scribbling", "", make<scribbling_resource>};
const bench::composition stingy{"stingy", "", make<stingy_resource>};
const bench::composition crashing{"crashing", "", make<crashing_resource>};
const bench::composition refusing{"refusing", "", make<refusing_resource>};
const bench::composition fragmented{"fragmented", "", bench::make_contender<half_broken>};

bench::trace read_random(std::size_t threads) {
    std::mt19937_64 random(palloc::test::seed());
    const temporary_file file(palloc::test::make_random_trace(random, threads, 9000).text);
    return bench::read_trace(file.path());
}

} // namespace

BOOST_AUTO_TEST_CASE(peak_memory_is_what_the_composition_touches) {
    const bench::trace program = read_random(1);
    const auto without = bench::measure(program, plain, {1h});
    const auto with = bench::measure(program, greedy, {1h});
    BOOST_REQUIRE((without && with));
    BOOST_TEST(without->peak_bytes >= program.peak_live_bytes / 2); // malloc has some at hand
    const double pages =
        (static_cast<double>(with->peak_bytes) - static_cast<double>(without->peak_bytes)) / 4096;
    BOOST_TEST(std::abs(pages - 1000) < 32, pages << " pages");
}

BOOST_AUTO_TEST_CASE(wrong_or_crashing_composition_has_no_figure) {
    const bench::trace program = read_random(1);
    const auto wrong = bench::measure(program, scribbling, {1h});
    BOOST_REQUIRE(!wrong);
    BOOST_TEST(wrong.error().starts_with("WRONG: "), wrong.error());
    const auto crash = bench::measure(program, crashing, {1h});
    BOOST_REQUIRE(!crash);
    BOOST_TEST(crash.error() == "exited with status 7 and no answer");
}

BOOST_AUTO_TEST_CASE(audit_finds_every_overlap) {
    std::string pile = "# palloc-heap-trace 1\n# program: pile   threads: 1   ops: 8"
                       "   peak-live-bytes: 2048   peak-live-blocks: 8\n";
    for (const char* const id : {"0", "1", "2", "3", "4", "5", "6", "7"})
        pile += std::string("a ") + id + " 256 16 0\n";
    const temporary_file file(pile);
    const bench::trace program = bench::read_trace(file.path());
    BOOST_TEST(bench::measure(program, stingy, {1h}).has_value()); // no edge was touched
    const auto found = bench::audit(program, stingy, {1h});
    BOOST_REQUIRE(!found);
    BOOST_TEST(found.error() == "WRONG: 7 blocks overlap another or are misaligned");

    for (const std::size_t threads : {1u, 5u})
        BOOST_TEST(bench::audit(read_random(threads), shared, {1h}).has_value());
}

BOOST_AUTO_TEST_CASE(all_are_measured_and_ranked) {
    const bench::trace program = read_random(1);
    const std::vector<const bench::composition*> pools{&crashing, &refusing, &fragmented, &plain};
    const auto report = bench::measure_all(program, pools, {.repetitions = 3, .replay_limit = 1h});
    BOOST_TEST(report.operations == 9000u);
    BOOST_TEST(report.harness_ns > 0);
    BOOST_TEST(report.harness_samples.size() == 3u); // one of each round
    for (const double each : report.harness_samples)
        BOOST_TEST(each > 0);
    BOOST_REQUIRE(report.cells.size() == 4u);
    for (const std::size_t i : {0u, 1u}) {
        const bench::cell& whole = report.cells[i];
        BOOST_TEST(whole.comparable());
        BOOST_TEST(whole.samples.size() == 3u);
        BOOST_REQUIRE(whole.gross_samples.size() == 3u);
        for (std::size_t j = 0; j != 3; ++j)
            BOOST_TEST(whole.samples[j] ==
                       std::max(whole.gross_samples[j] - report.harness_ns, 0.0));
        BOOST_TEST(whole.operations == 9000u);
        BOOST_TEST(whole.peak_live_bytes == program.peak_live_bytes);
        BOOST_TEST(whole.fragmentation.value_or(0.5) == 0.5);
        BOOST_TEST(whole.fragmentation.has_value() == (whole.pool == &fragmented));
    }
    BOOST_TEST(report.cells[0].net_ns.median <= report.cells[1].net_ns.median);
    BOOST_TEST(report.cells[2].pool == &refusing);
    BOOST_TEST(!report.cells[2].comparable());
    BOOST_TEST(report.cells[2].refused > 0u);
    BOOST_TEST(report.cells[3].pool == &crashing);
    BOOST_TEST(!report.cells[3].error.empty());
}

BOOST_AUTO_TEST_CASE(a_closer_look_that_fails_is_named) {
    const bench::composition late{"late", "", make<late_crashing_resource>};
    const std::vector<const bench::composition*> pools{&plain, &late};
    const auto report = bench::measure_all(read_random(1), pools,
                                           {.repetitions = 1,
                                            .replay_limit = 1h,
                                            .latency = bench::campaign_options::detail::of_all,
                                            .inspection = bench::campaign_options::detail::of_all});
    for (const bench::cell& each : report.cells) {
        BOOST_TEST(each.measured());
        const bool crashed = each.pool == &late;
        BOOST_TEST(each.latency.has_value() != crashed);
        BOOST_TEST((each.inspected == nullptr) == crashed);
        BOOST_TEST(each.not_seen.size() == (crashed ? 2u : 0u));
    }
    for (const char* const text : {"late", "not seen: latency: exited with status 7",
                                   "not seen: memory over the run: exited with status 7"})
        BOOST_TEST(bench::table_of(report, {}).find(text) != std::string::npos, text);
    const auto figures = bench::json_of({&report, 1}, "command", {});
    int named = 0;
    for (const auto& entry : figures.at("benchmarks"))
        named += entry.contains("not_seen") ? 1 : 0;
    BOOST_TEST(named == 1);
}

BOOST_AUTO_TEST_CASE(cell_without_time_is_cut_and_not_repeated) {
    const bench::trace program = read_random(1);
    const std::vector<const bench::composition*> pools{&plain};
    const auto report = bench::measure_all(program, pools, {.repetitions = 9, .replay_limit = 1ns});
    const bench::cell& cut = report.cells.front();
    BOOST_TEST(cut.samples.size() == 1u);
    BOOST_TEST(cut.cut());
    BOOST_TEST(cut.completed == 64.0 / 9000.0);
    BOOST_TEST(!cut.comparable());
    BOOST_TEST(cut.measured());
}

BOOST_AUTO_TEST_CASE(threads_need_a_shared_composition) {
    const bench::trace program = read_random(3);
    const std::vector<const bench::composition*> pools{&plain, &shared};
    const auto report = bench::measure_all(program, pools, {.repetitions = 1, .replay_limit = 1h});
    BOOST_TEST(report.cells[0].pool == &shared);
    BOOST_TEST(report.cells[0].comparable());
    BOOST_TEST(report.cells[1].skipped == "needs one thread");
}

BOOST_AUTO_TEST_CASE(latency_counts_every_call_and_knows_slow_ones) {
    class slow_resource final : public forwarding_resource {
      public:
        using forwarding_resource::forwarding_resource;

      private:
        void* do_allocate(std::size_t bytes, std::size_t alignment) override {
            const auto end = std::chrono::steady_clock::now() + 5us;
            while (std::chrono::steady_clock::now() < end)
                ;
            return forwarding_resource::do_allocate(bytes, alignment);
        }
    };
    const bench::composition slow{"slow", "", make<slow_resource>, bench::standing::pool, true};
    for (const std::size_t threads : {1u, 4u}) {
        const bench::trace program = read_random(threads);
        std::uint64_t allocations = 0;
        std::uint64_t releases = 0;
        for (const bench::lane& each : program.lanes)
            for (const bench::operation& op : each.operations) {
                allocations += op.kind != bench::operation_kind::release;
                releases += op.kind != bench::operation_kind::allocate;
            }
        const auto got = bench::measure_latency(program, slow, {1h});
        BOOST_REQUIRE(got.has_value());
        BOOST_TEST(got->allocate.calls == allocations);
        BOOST_TEST(got->release.calls >= releases); // and what was live at the end
        BOOST_TEST(got->allocate.p50 > 4000);
        BOOST_TEST(got->allocate.p50 <= got->allocate.p90);
        BOOST_TEST(got->allocate.p999 <= got->allocate.max);
        BOOST_TEST(got->release.p50 < got->allocate.p50);
        std::uint64_t by_size = 0;
        for (const auto& each : got->by_size)
            by_size += each.calls;
        BOOST_TEST(by_size == allocations);
    }
}

BOOST_AUTO_TEST_CASE(histogram_is_as_fine_as_it_says) {
    std::mt19937_64 random(palloc::test::seed());
    for (int round = 0; round != 200; ++round) {
        std::vector<std::uint64_t> values(1 + random() % 50);
        bench::tick_histogram all;
        for (std::uint64_t& each : values)
            all.add(each = random() >> (random() % 60 + 4));
        std::sort(values.begin(), values.end());
        for (const double q : {0.0, 0.5, 0.9, 0.99}) {
            const auto right = static_cast<double>(
                values[std::min(values.size() - 1,
                                static_cast<std::size_t>(q * static_cast<double>(values.size())))]);
            const auto got = static_cast<double>(all.quantile(q));
            BOOST_TEST(std::abs(got - right) <= right / 16 + 1, got << " for " << right);
        }
        BOOST_TEST(all.largest() == values.back());
    }
}

BOOST_AUTO_TEST_CASE(inspection_sees_blocks_where_they_lie) {
    // One block behind the other, so that the map is known.
    class bump_resource final : public forwarding_resource {
      public:
        using forwarding_resource::forwarding_resource;

      private:
        void* do_allocate(std::size_t bytes, std::size_t) override {
            std::byte* const block = arena_.data() + used_;
            used_ += bytes;
            return block;
        }
        void do_deallocate(void*, std::size_t, std::size_t) override {}
        bench::mapped_array<std::byte> arena_{std::size_t{1} << 24};
        std::size_t used_ = 0;
    };
    const bench::composition bump{"bump", "", make<bump_resource>};
    // 512 blocks of a page; then every other one is freed.
    std::string text;
    for (int id = 0; id != 512; ++id)
        text += "a " + std::to_string(id) + " 4096 16 0\n";
    for (int id = 0; id != 512; id += 2)
        text += "f " + std::to_string(id) + " 0\n";
    const temporary_file file("# palloc-heap-trace 1\n# program: comb   threads: 1   ops: 768   "
                              "peak-live-bytes: 2097152   peak-live-blocks: 512\n" +
                              text);
    const auto got = bench::inspect(bench::read_trace(file.path()), bump, {1h});
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->complete);
    BOOST_TEST(got->sample[got->samples - 1].operation == 768u);
    BOOST_TEST(got->sample[got->samples - 1].live_bytes == 256u * 4096);
    BOOST_TEST(got->sample[got->samples - 1].held_bytes >= 512u * 4096);
    const bench::pool_map& end = got->end;
    BOOST_REQUIRE(end.cells == 512u);
    BOOST_TEST(end.range_bytes == 512u * 4096);
    BOOST_TEST(end.cell_bytes == 4096u);
    BOOST_TEST(end.live_bytes == 256u * 4096);
    BOOST_TEST(end.blocks == 256u);
    BOOST_TEST(end.largest_free_bytes == 4096u);
    for (std::size_t i = 0; i != end.cells; ++i) {
        BOOST_TEST(end.cell_at[i].live_bytes == (i % 2 == 0 ? 0u : 4096u));
        BOOST_TEST(end.cell_at[i].blocks == i % 2);
        BOOST_TEST(end.cell_at[i].largest_free_bytes == (i % 2 == 0 ? 4096u : 0u));
    }
    BOOST_TEST(got->worst.live_bytes > end.live_bytes);
    BOOST_TEST(got->worst.operation <= 520u);

    for (const std::size_t threads : {1u, 5u}) {
        const bench::trace program = read_random(threads);
        const auto seen = bench::inspect(program, shared, {1h});
        BOOST_REQUIRE(seen.has_value());
        std::uint64_t cells_live = 0;
        std::uint64_t cells_blocks = 0;
        for (std::size_t i = 0; i != seen->end.cells; ++i) {
            cells_live += seen->end.cell_at[i].live_bytes;
            cells_blocks += seen->end.cell_at[i].blocks;
            BOOST_TEST(seen->end.cell_at[i].live_bytes <= seen->end.cell_bytes);
        }
        BOOST_TEST(cells_live == seen->end.live_bytes);
        BOOST_TEST(cells_blocks == seen->end.blocks);
        BOOST_TEST(seen->sample[seen->samples - 1].live_bytes == seen->end.live_bytes);
    }
}
