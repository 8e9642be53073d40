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

#include <chrono>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <stdexcept>
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

/// As many 2 MiB pages as the test needs, where the system lets us; set back in the end.
class huge_pages {
  public:
    huge_pages() : before_(set_to(all_bytes / huge_bytes)) {}
    ~huge_pages() { set_to(before_); }
    huge_pages(const huge_pages&) = delete;
    huge_pages& operator=(const huge_pages&) = delete;

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

/// Times `make`, which answers where the memory is, and its first touch; `end` unmaps it.
template <class Make, class End>
void time_first_touch(benchmark::State& state, Make&& make, End&& end) {
    while (state.KeepRunningBatch(static_cast<std::int64_t>(mebibytes))) {
        const double begin = processor_seconds();
        const address base = make();
        touch(base);
        state.SetIterationTime(processor_seconds() - begin);
        end();
    }
}

void through_calls(benchmark::State& state, page_rung rung) {
    const huge_pages pages;
    const int large = rung == page_rung::huge ? MAP_HUGETLB | MAP_HUGE_2MB : 0;
    // Large pages begin at a multiple of their size, which only an explicit mapping is sure to do.
    const std::uint64_t mapped_bytes = all_bytes + (large == 0 ? huge_bytes : 0);
    void* base = nullptr;
    time_first_touch(
        state,
        [&] {
            base = ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | large, -1, 0);
            if (base == MAP_FAILED)
                throw std::runtime_error("no 2 MiB pages");
            if (rung == page_rung::transparent)
                ::madvise(base, mapped_bytes, MADV_HUGEPAGE);
            return (reinterpret_cast<address>(base) + huge_bytes - 1) & ~(huge_bytes - 1);
        },
        [&] { ::munmap(base, mapped_bytes); });
}

void through_hugepage(benchmark::State& state, page_rung rung) {
    const huge_pages pages;
    hugepage backing({.gigantic = false,
                      .huge = rung == page_rung::huge,
                      .transparent = rung == page_rung::transparent,
                      .base = rung == page_rung::base});
    std::vector<hugepage::region> regions;
    time_first_touch(
        state,
        [&] {
            auto made = backing.map({.bytes = all_bytes});
            if (!made)
                throw std::runtime_error("no such pages");
            regions.push_back(*made);
            return backing.where(*made).base;
        },
        [&] {
            (void)backing.unmap(regions.back());
            regions.pop_back();
        });
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

std::string name(const char* by, page_rung rung) {
    return "fault_in/" + std::string(by) + '/' + std::string(to_string(rung));
}

experiment first_touch(const char* by, page_rung rung,
                       void (*measure)(benchmark::State&, page_rung)) {
    return {.name = name(by, rung),
            .measure = [=](benchmark::State& state) { measure(state, rung); },
            .times_itself = true,
            .iterations = static_cast<std::int64_t>(mebibytes),
            .repetitions = 7};
}

bar faster(page_rung rung, double limit) {
    return {.text = "1 GiB touched, pages " + std::string(to_string(rung)) + ": times as fast",
            .wanted = demand::at_least,
            .limit = limit,
            .value = {name("hugepage", page_rung::base)},
            .per = reading{name("hugepage", rung)}};
}

bar as_raw(page_rung rung) {
    return {.text = "hugepage on " + std::string(to_string(rung)) + ": of the raw calls' time",
            .wanted = demand::at_most,
            .limit = 1.02,
            .value = {name("hugepage", rung)},
            .per = reading{name("calls", rung)}};
}

} // namespace

question ask_fault_in() {
    question asked;
    for (const page_rung rung : {page_rung::base, page_rung::transparent, page_rung::huge}) {
        asked.experiments.push_back(first_touch("calls", rung, through_calls));
        asked.experiments.push_back(first_touch("hugepage", rung, through_hugepage));
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
