// SPDX-License-Identifier: MIT
// What do the kernel's typed allocators take, beside malloc and std::vector?
//
// `pair` allocates and frees blocks of one size, or of the sizes 16, 32, 48, … 8192 in random
// order; blocks are not written to. `push_back` makes a vector of 10^8 numbers. `grow` makes a
// block of 256 MiB twice as long where it cannot grow in place: by the page table, and by a copy.
#include <palloc/kalloc.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "question.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::uint64_t largest = 8192;
constexpr int pushed = 100'000'000;
constexpr std::uint64_t grown_bytes = std::uint64_t{256} << 20;

std::vector<std::uint64_t> sizes_in_random_order() {
    std::vector<std::uint64_t> all(4096);
    std::mt19937 random(1);
    for (std::uint64_t& each : all)
        each = 16 * (random() % (largest / 16) + 1);
    return all;
}

struct from_malloc {
    static void* take(std::uint64_t bytes) { return std::malloc(bytes); }
    static void give_back(void* block, std::uint64_t) { std::free(block); }
};
struct from_kmalloc {
    static void* take(std::uint64_t bytes) {
        kmalloc from;
        const auto block = alloc(from, {bytes, 8}, flags::kernel);
        return block ? block->data() : nullptr;
    }
    static void give_back(void* block, std::uint64_t bytes) {
        kmalloc from;
        free(from, static_cast<std::byte*>(block), {bytes, 8});
    }
};

template <class From>
void pair(benchmark::State& state, const std::vector<std::uint64_t>& sizes) {
    std::size_t i = 0;
    for (auto _ : state) {
        const std::uint64_t bytes = sizes[i++ % sizes.size()];
        void* block = From::take(bytes);
        benchmark::DoNotOptimize(block);
        From::give_back(block, bytes);
    }
}

void push_to_standard(benchmark::State& state) {
    for (auto _ : state) {
        std::vector<int> numbers;
        for (int i = 0; i != pushed; ++i)
            numbers.push_back(i);
        benchmark::DoNotOptimize(numbers.data());
    }
}
void push_to_kvvec(benchmark::State& state) {
    for (auto _ : state) {
        kvvec<int> numbers;
        for (int i = 0; i != pushed; ++i)
            if (!numbers.push(i, flags::kernel))
                throw std::runtime_error("no memory");
        benchmark::DoNotOptimize(numbers.data());
    }
}

std::span<std::byte> filled_block(vmalloc& from) {
    const auto block = alloc(from, {grown_bytes, 1}, flags::kernel);
    if (!block)
        throw std::runtime_error("no memory");
    std::memset(block->data(), 1, block->size());
    return *block;
}

/// Times `grow(block)` alone, with a block behind it.
template <class Grow>
void grow(benchmark::State& state, Grow&& grow_it) {
    vmalloc from;
    for (auto _ : state) {
        const auto block = filled_block(from);
        const auto wall = alloc(from, {1, 1}, flags::kernel);
        const auto begin = std::chrono::steady_clock::now();
        const auto longer = grow_it(from, block);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
        state.SetIterationTime(taken.count());
        if (!longer || longer->data() == block.data())
            throw std::runtime_error("it did not move");
        free(from, longer->data(), {2 * grown_bytes, 1});
        free(from, wall->data(), {1, 1});
    }
}

result<std::span<std::byte>> grow_by_moving(vmalloc& from, std::span<std::byte> block) {
    return from.realloc(block.data(), {2 * grown_bytes, 1}, {grown_bytes, 1}, flags::kernel,
                        no_node);
}
result<std::span<std::byte>> grow_by_copying(vmalloc& from, std::span<std::byte> block) {
    const auto longer = alloc(from, {2 * grown_bytes, 1}, flags::kernel);
    if (longer) {
        std::memcpy(longer->data(), block.data(), block.size());
        free(from, block.data(), {grown_bytes, 1});
    }
    return longer;
}

} // namespace

question ask_typed_allocators() {
    question all;
    const auto enter = [&](const std::string& what, const std::vector<std::uint64_t>& sizes) {
        const std::string name = "typed/pair/" + what + "/";
        all.experiments.push_back(
            {.name = name + "malloc",
             .measure = [=](benchmark::State& state) { pair<from_malloc>(state, sizes); }});
        all.experiments.push_back(
            {.name = name + "kmalloc",
             .measure = [=](benchmark::State& state) { pair<from_kmalloc>(state, sizes); }});
        all.bars.push_back({.text = "pair of " + what + " bytes: time of kmalloc / of malloc",
                            .wanted = demand::at_most,
                            .limit = 1.5,
                            .value = {name + "kmalloc"},
                            .per = reading{name + "malloc"}});
    };
    enter("16 to 8192", sizes_in_random_order());
    for (std::uint64_t bytes = 16; bytes <= largest; bytes *= 2)
        enter(std::to_string(bytes), {bytes});
    all.experiments.push_back({.name = "typed/push_back/std::vector",
                               .measure = push_to_standard,
                               .iterations = 1,
                               .repetitions = 5});
    all.experiments.push_back({.name = "typed/push_back/kvvec",
                               .measure = push_to_kvvec,
                               .iterations = 1,
                               .repetitions = 5});
    all.bars.push_back({.text = "10^8 push_back of int: time of kvvec / of std::vector",
                        .wanted = demand::at_most,
                        .limit = 1,
                        .value = {"typed/push_back/kvvec"},
                        .per = reading{"typed/push_back/std::vector"}});
    for (const bool moves : {false, true})
        all.experiments.push_back(
            {.name = std::string("typed/grow/") + (moves ? "moving" : "copying"),
             .measure =
                 [=](benchmark::State& state) {
                     grow(state, moves ? grow_by_moving : grow_by_copying);
                 },
             .times_itself = true,
             .iterations = 1,
             .repetitions = 5});
    all.bars.push_back({.text = "growth of 256 MiB: time by copying / by moving pages",
                        .wanted = demand::at_least,
                        .limit = 2,
                        .value = {"typed/grow/copying"},
                        .per = reading{"typed/grow/moving"}});
    return all;
}

} // namespace palloc::bench::micro
