// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <new>
#include <palloc_bench/campaign.hpp>
#include <palloc_bench/mapped_array.hpp>
#include <palloc_bench/measurement.hpp>
#include <palloc_bench/trace_reader.hpp>

#include "trace_file.hpp"

namespace bench = palloc::bench;
using namespace std::chrono_literals;
using palloc::test::temporary_file;

namespace {

/// Passes on to the process's allocator; what else it does is in derived classes.
class forwarding_resource : public std::pmr::memory_resource {
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
    bench::mapped_array<std::byte> pages_{1000 * 4096, bench::residence::at_once};
};

class scribbling_resource final : public forwarding_resource {
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
    void do_deallocate(void*, std::size_t, std::size_t) override { _Exit(7); }
};

class refusing_resource final : public forwarding_resource {
    void* do_allocate(std::size_t, std::size_t) override { throw std::bad_alloc(); }
};

class half_broken final : public bench::contender {
  public:
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
    const auto without = bench::measure(program, plain, 1h);
    const auto with = bench::measure(program, greedy, 1h);
    BOOST_REQUIRE((without && with));
    BOOST_TEST(without->peak_bytes >= program.peak_live_bytes / 2); // malloc has some at hand
    const double pages =
        (static_cast<double>(with->peak_bytes) - static_cast<double>(without->peak_bytes)) / 4096;
    BOOST_TEST(std::abs(pages - 1000) < 32, pages << " pages");
}

BOOST_AUTO_TEST_CASE(wrong_or_crashing_composition_has_no_figure) {
    const bench::trace program = read_random(1);
    const auto wrong = bench::measure(program, scribbling, 1h);
    BOOST_REQUIRE(!wrong);
    BOOST_TEST(wrong.error().starts_with("WRONG: "), wrong.error());
    const auto crash = bench::measure(program, crashing, 1h);
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
    BOOST_TEST(bench::measure(program, stingy, 1h).has_value()); // no edge was touched
    const auto found = bench::audit(program, stingy, 1h);
    BOOST_REQUIRE(!found);
    BOOST_TEST(found.error() == "WRONG: 7 blocks overlap another or are misaligned");

    for (const std::size_t threads : {1u, 5u})
        BOOST_TEST(bench::audit(read_random(threads), shared, 1h).has_value());
}

BOOST_AUTO_TEST_CASE(all_are_measured_and_ranked) {
    const bench::trace program = read_random(1);
    const std::vector<const bench::composition*> pools{&crashing, &refusing, &fragmented, &plain};
    const auto report = bench::measure_all(program, pools, {.repetitions = 3, .replay_limit = 1h});
    BOOST_TEST(report.operations == 9000u);
    BOOST_TEST(report.harness_ns > 0);
    BOOST_REQUIRE(report.cells.size() == 4u);
    for (const std::size_t i : {0u, 1u}) {
        const bench::cell& whole = report.cells[i];
        BOOST_TEST(whole.comparable());
        BOOST_TEST(whole.samples.size() == 3u);
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
