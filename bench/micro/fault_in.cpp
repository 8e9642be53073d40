// SPDX-License-Identifier: MIT
// What does the first touch of 1 GiB take with large pages, and what is left of it once it is given
// back?
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include <linux/mman.h>
#include <sys/mman.h>

#include "palloc_bench/process_memory.hpp"
#include "question.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::uint64_t all_bytes = std::uint64_t{1} << 30;
constexpr std::uint64_t mebibytes = all_bytes >> 20;
constexpr std::uint64_t huge_bytes = std::uint64_t{2} << 20;

/// As many 2 MiB pages as is touched, where the system lets us; set back in the end.
class huge_pages {
  public:
    huge_pages() : before_(set_to(all_bytes / huge_bytes)) {}
    ~huge_pages() { set_to(before_); }
    huge_pages(const huge_pages&) = delete;
    huge_pages& operator=(const huge_pages&) = delete;

    /// Once for all experiments: to make and to break up such pages changes which memory is free,
    /// and with it what the next touch takes.
    static void are_wanted() { static const huge_pages until_the_end; }

  private:
    static std::uint64_t set_to(std::uint64_t pages) {
        const std::string file = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
        std::uint64_t before = 0;
        std::ifstream(file) >> before;
        if (pages != before)
            std::ofstream(file) << pages << std::flush;
        return before;
    }
    std::uint64_t before_;
};

void touch(address base) {
    for (std::uint64_t at = 0; at != all_bytes; at += 4096)
        *reinterpret_cast<volatile char*>(base + at) = 1;
}

/// Of this thread, in the kernel too: whoever else wants the processor does not count.
double processor_seconds() {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

/// The seconds that mapping and the first touch of `Memory` take.
template <class Memory>
double first_touch_seconds(page_rung rung) {
    const double begin = processor_seconds();
    const Memory memory(rung);
    touch(memory.base());
    return processor_seconds() - begin;
}

/// What a program would do without a library.
class raw_memory {
  public:
    explicit raw_memory(page_rung rung) {
        const int large = rung == page_rung::huge ? MAP_HUGETLB | MAP_HUGE_2MB : 0;
        // Large pages begin at a multiple of their size, which only an explicit mapping is sure
        // to do.
        bytes_ = all_bytes + (large == 0 ? huge_bytes : 0);
        at_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | large,
                     -1, 0);
        if (at_ == MAP_FAILED)
            throw not_on_this_machine("no 2 MiB pages");
        if (rung == page_rung::transparent)
            ::madvise(at_, bytes_, MADV_HUGEPAGE);
    }
    ~raw_memory() { ::munmap(at_, bytes_); }
    raw_memory(const raw_memory&) = delete;
    raw_memory& operator=(const raw_memory&) = delete;

    [[nodiscard]] address base() const {
        return (reinterpret_cast<address>(at_) + huge_bytes - 1) & ~(huge_bytes - 1);
    }

  private:
    std::uint64_t bytes_ = 0;
    void* at_ = nullptr;
};

class hugepage_memory {
  public:
    explicit hugepage_memory(page_rung rung)
        : backing_({.gigantic = false,
                    .huge = rung == page_rung::huge,
                    .transparent = rung == page_rung::transparent,
                    .base = rung == page_rung::base}),
          made_(backing_.map({.bytes = all_bytes})) {
        if (!made_)
            throw not_on_this_machine("no such pages");
    }
    ~hugepage_memory() { (void)backing_.unmap(*made_); }
    hugepage_memory(const hugepage_memory&) = delete;
    hugepage_memory& operator=(const hugepage_memory&) = delete;

    [[nodiscard]] address base() const { return backing_.where(*made_).base; }

  private:
    hugepage backing_;
    result<hugepage::region> made_;
};

double median(std::vector<double> values) {
    std::ranges::nth_element(values,
                             values.begin() + static_cast<std::ptrdiff_t>(values.size()) / 2);
    return values[values.size() / 2];
}

/// Both in turn, so that whatever makes the machine slower for a while does so to both: in each
/// round calls, hugepage, hugepage, calls, and of each round the ratio.
void side_by_side(benchmark::State& state, page_rung rung) {
    constexpr int rounds = 15;
    huge_pages::are_wanted();
    std::vector<double> by_hugepage;
    std::vector<double> by_calls;
    std::vector<double> ratios;
    // The first round is not counted: a virtual machine gets memory when it first touches it.
    for (int round = 0; round != 1 + rounds; ++round) {
        const double first = first_touch_seconds<raw_memory>(rung);
        const double second = first_touch_seconds<hugepage_memory>(rung);
        const double third = first_touch_seconds<hugepage_memory>(rung);
        const double fourth = first_touch_seconds<raw_memory>(rung);
        if (round == 0)
            continue;
        by_calls.push_back((first + fourth) / 2);
        by_hugepage.push_back((second + third) / 2);
        ratios.push_back(by_hugepage.back() / by_calls.back());
    }
    while (state.KeepRunningBatch(static_cast<std::int64_t>(mebibytes)))
        state.SetIterationTime(median(by_hugepage));
    state.counters["calls_ns"] = median(by_calls) * 1e9 / static_cast<double>(mebibytes);
    state.counters["of_calls"] = median(ratios);
}

void give_back(benchmark::State& state) {
    double left = 0;
    for (auto _ : state) {
        const auto before = static_cast<double>(resident_bytes());
        pool<static_granule<64>, mmap_backing, indexed, first_fit, unprotected> all(
            {.growth = growth_policy::refill(std::uint64_t{64} << 20)});
        std::vector<address> blocks(all_bytes / 65536);
        for (address& block : blocks) {
            block = all.allocate(65536).value_or(0);
            for (std::uint64_t at = 0; block != 0 && at != 65536; at += 4096)
                *reinterpret_cast<volatile char*>(block + at) = 1;
        }
        const auto peak = static_cast<double>(resident_bytes()) - before;
        for (const address block : blocks)
            if (block != 0)
                (void)all.deallocate(block, 65536);
        const auto begin = std::chrono::steady_clock::now();
        (void)all.discard_free_pages();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
        state.SetIterationTime(taken.count());
        left = 100 * (static_cast<double>(resident_bytes()) - before) / peak;
    }
    state.counters["left%"] = left;
}

std::string name(page_rung rung) {
    return "fault_in/hugepage/" + std::string(to_string(rung));
}

experiment first_touch(page_rung rung) {
    return {.name = name(rung),
            .measure = [rung](benchmark::State& state) { side_by_side(state, rung); },
            .times_itself = true,
            .iterations = static_cast<std::int64_t>(mebibytes),
            .repetitions = 1};
}

bar faster(page_rung rung, double limit) {
    return {.text = "1 GiB touched, pages " + std::string(to_string(rung)) + ": times as fast",
            .wanted = demand::at_least,
            .limit = limit,
            .value = {name(page_rung::base)},
            .per = reading{name(rung)}};
}

bar as_raw(page_rung rung) {
    return {.text = "hugepage on " + std::string(to_string(rung)) +
                    ": of the raw calls' time, touched in turn, median of the rounds' ratios",
            .wanted = demand::at_most,
            .limit = 1.02,
            .value = {name(rung), "of_calls"}};
}

} // namespace

question ask_fault_in() {
    question asked;
    for (const page_rung rung : {page_rung::base, page_rung::transparent, page_rung::huge}) {
        asked.experiments.push_back(first_touch(rung));
        asked.bars.push_back(as_raw(rung));
    }
    asked.bars.push_back(faster(page_rung::transparent, 2.5));
    asked.bars.push_back(faster(page_rung::huge, 1.5));
    asked.experiments.push_back({.name = "given_back/1GiB",
                                 .measure = give_back,
                                 .times_itself = true,
                                 .iterations = 1,
                                 .repetitions = 3});
    asked.bars.push_back({.text = "peak of 1 GiB, all freed, one call: left in memory",
                          .wanted = demand::at_most,
                          .limit = 2,
                          .unit = " %",
                          .value = {"given_back/1GiB", "left%"}});
    return asked;
}

} // namespace palloc::bench::micro
