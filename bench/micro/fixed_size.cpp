// SPDX-License-Identifier: MIT
// What do blocks of one size take, called as containers call: through std::pmr?
//
// Every resource is called through its base class. `pair` frees each block at once; a batch is
// 10,000 allocations, then as many frees in the named order. Blocks are not written to.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/compositions/presets.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "question.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::size_t block_bytes = 64;
constexpr std::size_t batch_blocks = 10'000;

/// What the harness takes: places in a buffer, over and over.
class no_resource final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t, std::size_t) override { return buffer_.data(); }
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }
    alignas(block_bytes) std::array<std::byte, block_bytes> buffer_{};
};

struct nothing {
    static constexpr std::string_view name = "harness";
    no_resource resource;
};

struct standard {
    static constexpr std::string_view name = "std::pmr::unsynchronized_pool_resource";
    std::pmr::unsynchronized_pool_resource resource;
};

const pool_options growing{.growth = growth_policy::refill(1 << 20)};

template <class Bitmap>
using block_pool = pool<static_granule<block_bytes>, mmap_backing, Bitmap, first_fit, unprotected>;

struct plain_flat {
    static constexpr std::string_view name = "pool/flat";
    block_pool<flat> blocks{growing, {}, mmap_backing()};
    pool_resource<block_pool<flat>> resource{blocks};
};
struct plain_indexed {
    static constexpr std::string_view name = "pool/indexed";
    block_pool<indexed> blocks{growing, {}, mmap_backing()};
    pool_resource<block_pool<indexed>> resource{blocks};
};
struct preset {
    static constexpr std::string_view name = "fixed_size";
    fixed_size<block_bytes> blocks;
    pool_resource<fixed_size<block_bytes>> resource{blocks};
};

/// What is called, as the compiler may know it.
template <class Contender>
std::pmr::memory_resource& seen_from_outside(Contender& it) {
    std::pmr::memory_resource* base = &it.resource;
    benchmark::DoNotOptimize(base);
    return *base;
}

template <class Contender>
void pair(benchmark::State& state) {
    Contender it;
    auto& resource = seen_from_outside(it);
    for (auto _ : state) {
        void* block = resource.allocate(block_bytes, block_bytes);
        benchmark::DoNotOptimize(block);
        resource.deallocate(block, block_bytes, block_bytes);
    }
}

using order = std::vector<std::uint32_t>;

template <class Contender>
void batch(benchmark::State& state, const order& frees) {
    Contender it;
    auto& resource = seen_from_outside(it);
    std::vector<void*> blocks(batch_blocks);
    while (state.KeepRunningBatch(batch_blocks)) {
        for (void*& block : blocks)
            block = resource.allocate(block_bytes, block_bytes);
        for (const std::uint32_t i : frees)
            resource.deallocate(blocks[i], block_bytes, block_bytes);
    }
}

std::array<std::pair<std::string_view, order>, 3> orders() {
    order fifo(batch_blocks);
    std::iota(fifo.begin(), fifo.end(), 0U);
    order lifo(fifo.rbegin(), fifo.rend());
    order random = fifo;
    std::shuffle(random.begin(), random.end(), std::mt19937(1));
    return {{{"fifo", fifo}, {"lifo", lifo}, {"random", random}}};
}

template <class Contender>
void enter(question& all) {
    const std::string name = "64B/" + std::string(Contender::name);
    all.experiments.push_back({.name = name + "/pair", .measure = pair<Contender>});
    for (const auto& [order_name, frees] : orders())
        all.experiments.push_back(
            {.name = name + "/" + std::string(order_name),
             .measure = [=](benchmark::State& state) { batch<Contender>(state, frees); }});
}

} // namespace

question ask_fixed_size() {
    question all;
    enter<nothing>(all);
    enter<standard>(all);
    enter<plain_flat>(all);
    enter<plain_indexed>(all);
    enter<preset>(all);
    all.bars.push_back(
        {.text =
             "64-byte pair through std::pmr: time of unsynchronized_pool_resource / of fixed_size",
         .wanted = demand::at_least,
         .limit = 2,
         .value = {"64B/std::pmr::unsynchronized_pool_resource/pair"},
         .per = reading{"64B/fixed_size/pair"}});
    return all;
}

} // namespace palloc::bench::micro
