// SPDX-License-Identifier: MIT
// What does memory for 100,000 functions of 64 to 4096 bytes take, and what do calls into it?
//
// Beside asmjit's JitAllocator with two mappings, with one pool and with several. All live through
// the same life, turn by turn: all functions allocated, written, shrunk by an eighth; every second
// one released and as many allocated again; all released in random order. Sizes are spread evenly
// over the logarithm. asmjit leaves freed code as it is; palloc fills it with traps at once, or
// (`lazy`) before it is handed out again. asmjit unmaps what became empty, but for one block a
// pool; palloc keeps it until it is asked to, or (`lazy back`) unmaps it as asmjit does.
#include <palloc/metadata/mapped_metadata.hpp>
#include <palloc/perm_alloc.hpp>

#include <algorithm>
#include <array>
#include <asmjit/core.h>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "jit_calls.hpp"
#include "question.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::size_t functions = 100'000;
constexpr int rounds = 7;
constexpr std::array<std::string_view, 5> phases{"allocate", "write", "shrink", "refill",
                                                 "release"};

std::vector<std::uint32_t> function_sizes(unsigned seed) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> logarithm(std::log(64.0), std::log(4096.0));
    std::vector<std::uint32_t> sizes(functions);
    for (auto& each : sizes)
        each = static_cast<std::uint32_t>(std::exp(logarithm(random)));
    return sizes;
}

/// Counts what the books take: what is handed out, and how much of it is in memory.
class counting_metadata {
  public:
    result<std::byte*> take(std::size_t bytes) noexcept {
        auto got = inner_.take(bytes);
        if (got)
            pieces_[*got] = bytes;
        return got;
    }
    void give_back(std::byte* storage, std::size_t bytes) noexcept {
        pieces_.erase(storage);
        inner_.give_back(storage, bytes);
    }
    [[nodiscard]] std::size_t bytes() const {
        std::size_t sum = 0;
        for (const auto& [place, bytes] : pieces_)
            sum += bytes;
        return sum;
    }

  private:
    mapped_metadata inner_;
    std::map<std::byte*, std::size_t> pieces_;
};

template <wiping When, bool GivesBack = false>
struct of_palloc {
    static constexpr std::string_view name = When == wiping::at_once ? "palloc"
                                             : GivesBack             ? "palloc lazy back"
                                                                     : "palloc lazy";
    using block = perm_alloc::allocation;

    counting_metadata metadata;
    perm_alloc code{{.wipes = When, .gives_back_empty_arenas = GivesBack, .metadata = metadata}};

    block allocate(std::uint32_t bytes) { return code.allocate({.bytes = bytes}).value(); }
    void write(block it, std::span<const std::byte> text) { must(it.write(0, text)); }
    void shrink(block& it, std::uint32_t bytes) { must(code.shrink(it, bytes)); }
    void release(block it) { must(code.free(it)); }
    [[nodiscard]] double reserved() { return static_cast<double>(code.as_pool().mapped_bytes()); }
    [[nodiscard]] double books() { return static_cast<double>(metadata.bytes()); }
};

template <bool SeveralPools, bool Fills>
struct of_asmjit {
    static constexpr std::string_view name = SeveralPools
                                                 ? (Fills ? "asmjit pools fill" : "asmjit pools")
                                                 : (Fills ? "asmjit fill" : "asmjit");
    struct block {
        void* execute;
        void* write;
        std::uint32_t bytes;
    };
    static constexpr asmjit::JitAllocator::CreateParams parameters() {
        using asmjit::JitAllocatorOptions;
        asmjit::JitAllocator::CreateParams chosen{};
        chosen.options = JitAllocatorOptions::kUseDualMapping;
        if (SeveralPools)
            chosen.options |= JitAllocatorOptions::kUseMultiplePools;
        if (Fills)
            chosen.options |= JitAllocatorOptions::kFillUnusedMemory;
        return chosen;
    }

    asmjit::JitAllocator::CreateParams chosen = parameters();
    asmjit::JitAllocator code{&chosen};

    static void good(asmjit::Error error) {
        if (error != 0)
            throw std::runtime_error("asmjit says no");
    }
    block allocate(std::uint32_t bytes) {
        block it{nullptr, nullptr, bytes};
        good(code.alloc(&it.execute, &it.write, bytes));
        return it;
    }
    void write(block it, std::span<const std::byte> text) {
        std::memcpy(it.write, text.data(), text.size());
        asmjit::VirtMem::flushInstructionCache(it.execute, text.size());
    }
    void shrink(block& it, std::uint32_t bytes) { good(code.shrink(it.execute, bytes)); }
    void release(block it) { good(code.release(it.execute)); }
    [[nodiscard]] double reserved() {
        return static_cast<double>(code.statistics().reservedSize());
    }
    [[nodiscard]] double books() { return static_cast<double>(code.statistics().overheadSize()); }
};

/// Seconds of each phase of one life, and what it takes at its beginning.
struct life {
    std::array<double, phases.size()> seconds{};
    double asked_percent = 0;
    double books_percent = 0;
};

template <class Allocator>
life live() {
    static const auto sizes = function_sizes(1);
    static const auto other_sizes = function_sizes(2);
    static const std::vector<std::byte> text(4096, std::byte{0x90});
    static const auto order = [] {
        std::vector<std::size_t> all(functions);
        std::iota(all.begin(), all.end(), std::size_t{0});
        std::shuffle(all.begin(), all.end(), std::mt19937_64(3));
        return all;
    }();
    auto allocator = std::make_unique<Allocator>();
    std::vector<typename Allocator::block> blocks(functions);
    life told;
    const auto time = [&](std::size_t phase, auto&& act) {
        const auto begin = std::chrono::steady_clock::now();
        act();
        told.seconds[phase] +=
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    };
    time(0, [&] {
        for (std::size_t i = 0; i != functions; ++i)
            blocks[i] = allocator->allocate(sizes[i]);
    });
    told.asked_percent =
        100 * std::accumulate(sizes.begin(), sizes.end(), 0.0) / allocator->reserved();
    time(1, [&] {
        for (std::size_t i = 0; i != functions; ++i)
            allocator->write(blocks[i], std::span(text).first(sizes[i]));
    });
    told.books_percent = 100 * allocator->books() / allocator->reserved();
    time(2, [&] {
        for (std::size_t i = 0; i != functions; ++i)
            allocator->shrink(blocks[i], sizes[i] - sizes[i] / 8);
    });
    for (std::size_t i = 0; i < functions; i += 2)
        allocator->release(blocks[i]);
    time(3, [&] {
        for (std::size_t i = 0; i < functions; i += 2)
            blocks[i] = allocator->allocate(other_sizes[i]);
    });
    time(4, [&] {
        for (const std::size_t i : order)
            allocator->release(blocks[i]);
    });
    return told;
}

/// The lives of round after round, each lived by all in turn when it is first asked for.
template <class... Allocators>
class rounds_of {
  public:
    const life& told(std::string_view allocator, std::size_t round) {
        while (lived_.size() <= round) {
            auto& now = lived_.emplace_back();
            ((now[Allocators::name] = live<Allocators>()), ...);
        }
        return lived_[round].at(allocator);
    }

  private:
    std::vector<std::map<std::string_view, life>> lived_;
};

auto& all_rounds() {
    static rounds_of<of_palloc<wiping::at_once>, of_asmjit<false, false>,
                     of_palloc<wiping::before_reuse>, of_asmjit<true, false>,
                     of_palloc<wiping::before_reuse, true>, of_asmjit<true, true>>
        all;
    return all;
}

std::string name_of(std::string_view allocator, std::string_view phase) {
    return fmt::format("jit/{}/{}", phase, allocator);
}

experiment phase_of(std::string_view allocator, std::size_t phase) {
    const std::size_t count = phases[phase] == "refill" ? functions / 2 : functions;
    return {.name = name_of(allocator, phases[phase]),
            .measure =
                [=, round = std::make_shared<std::size_t>(0)](benchmark::State& state) {
                    const life& told = all_rounds().told(allocator, (*round)++);
                    while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(count)))
                        state.SetIterationTime(told.seconds[phase]);
                    state.counters["asked%"] = told.asked_percent;
                    state.counters["books%"] = told.books_percent;
                },
            .times_itself = true,
            .iterations = static_cast<std::int64_t>(count),
            .repetitions = rounds};
}

bar against(std::string_view phase, std::string_view peer, double limit,
            std::string_view ours = "palloc lazy") {
    return {.text = fmt::format("{} against {}", name_of(ours, phase), peer),
            .wanted = demand::at_most,
            .limit = limit,
            .unit = " x",
            .value = {name_of(ours, phase)},
            .per = reading{name_of(peer, phase)}};
}

} // namespace

question ask_jit_functions() {
    question asked;
    for (std::size_t phase = 0; phase != phases.size(); ++phase)
        for (const std::string_view allocator : {"palloc", "palloc lazy", "palloc lazy back",
                                                 "asmjit", "asmjit pools", "asmjit pools fill"})
            asked.experiments.push_back(phase_of(allocator, phase));
    asked.experiments.push_back(
        calls_of("jit/call/ordinary memory", rounds, &call_times::ordinary));
    asked.experiments.push_back(calls_of("jit/call/palloc", rounds, &call_times::committed));
    for (const auto& [phase, limit] : {std::pair{"allocate", 0.85},
                                       {"shrink", 0.9},
                                       {"release", 0.25},
                                       {"refill", 0.1},
                                       {"write", 0.9}})
        for (const std::string_view peer : {"asmjit", "asmjit pools"})
            asked.bars.push_back(against(phase, peer, limit));
    for (const std::string_view peer : {"asmjit", "asmjit pools"})
        asked.bars.push_back(against("release", peer, 0.25, "palloc lazy back"));
    asked.bars.push_back(against("release", "asmjit pools fill", 1, "palloc"));
    asked.bars.push_back({.text = "bytes asked for / bytes reserved",
                          .wanted = demand::at_least,
                          .limit = 90,
                          .unit = " %",
                          .value = {name_of("palloc lazy", "allocate"), "asked%"}});
    asked.bars.push_back({.text = "books / bytes reserved",
                          .wanted = demand::at_most,
                          .limit = 1,
                          .unit = " %",
                          .value = {name_of("palloc lazy", "allocate"), "books%"}});
    asked.bars.push_back({.text = "calls, against ordinary executable memory",
                          .wanted = demand::at_most,
                          .limit = 1.10,
                          .unit = " x",
                          .value = {"jit/call/palloc"},
                          .per = reading{"jit/call/ordinary memory"}});
    return asked;
}

} // namespace palloc::bench::micro
