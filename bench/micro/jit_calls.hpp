// SPDX-License-Identifier: MIT
/// @file
/// @brief What do calls through committed code take, beside calls through ordinary memory?
///
/// Compared over several placements of both, by turns: where code lies decides which entries of the
/// processor's tables its branches share.
#pragma once

#include <palloc/core/layout.hpp>
#include <palloc/perm_alloc.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "question.hpp"

namespace palloc::bench::micro {

inline void must(const result<void>& done) {
    if (!done)
        throw std::runtime_error(std::string(to_string(done.error().code)));
}

inline constexpr std::size_t called = 512;

/// add edi, 1; mov eax, edi; ret, at the beginning of every 192 bytes.
inline constexpr std::array<unsigned char, 6> adds_one{0x83, 0xc7, 0x01, 0x89, 0xf8, 0xc3};

/// Pages as small as those of an arena, at a multiple of 2 MiB as an arena is.
class ordinary_code {
  public:
    std::vector<int (*)(int)> entries;
    ordinary_code() {
        if (around_ == MAP_FAILED)
            throw std::runtime_error("no memory");
        const address base = align_up(reinterpret_cast<address>(around_), alignment);
        auto* const memory = ::mmap(reinterpret_cast<void*>(base), bytes, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (memory == MAP_FAILED)
            throw std::runtime_error("no memory");
        for (std::size_t i = 0; i != called; ++i) {
            auto* const place = static_cast<std::byte*>(memory) + i * 192;
            std::memcpy(place, adds_one.data(), adds_one.size());
            entries.push_back(reinterpret_cast<int (*)(int)>(place));
        }
        if (::mprotect(memory, bytes, PROT_READ | PROT_EXEC) != 0)
            throw std::runtime_error("no executable memory");
    }
    ordinary_code(const ordinary_code&) = delete;
    ordinary_code& operator=(const ordinary_code&) = delete;
    ~ordinary_code() { ::munmap(around_, bytes + alignment); }

  private:
    static constexpr std::size_t bytes = called * 192;
    static constexpr std::size_t alignment = std::size_t{2} << 20;
    void* around_ = ::mmap(nullptr, bytes + alignment, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
};

struct committed_code {
    perm_alloc code;
    std::vector<perm_alloc::allocation> blocks;
    std::vector<int (*)(int)> entries;
    committed_code() {
        for (std::size_t i = 0; i != called; ++i) {
            blocks.push_back(code.allocate({.bytes = 192}).value());
            must(blocks.back().write(0, std::as_bytes(std::span(adds_one))));
            entries.push_back(blocks.back().entry<int(int)>());
        }
    }
    committed_code(const committed_code&) = delete;
    committed_code& operator=(const committed_code&) = delete;
    ~committed_code() {
        for (const auto& each : blocks)
            (void)code.free(each);
    }
};

inline constexpr std::size_t calls = 100'000;

/// Processor seconds of so many calls, after as many to warm up.
inline double seconds_of_calls(const std::vector<int (*)(int)>& entries) {
    int value = 0;
    const auto call = [&] {
        const std::clock_t begin = std::clock();
        for (std::size_t i = 0, at = 0; i != calls; ++i, at = (at + 1) % called)
            value = entries[at](value);
        return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    };
    (void)call();
    const double taken = call();
    benchmark::DoNotOptimize(value);
    return taken;
}

struct call_times {
    double ordinary;
    double committed;
};

/// The medians over several placements, in round after round.
inline const call_times& call_round(std::size_t round) {
    static std::vector<call_times> timed;
    while (timed.size() <= round) {
        constexpr std::size_t placements = 9;
        std::array<double, placements> ordinary{};
        std::array<double, placements> committed{};
        for (std::size_t i = 0; i != placements; ++i) {
            const ordinary_code theirs;
            const committed_code ours;
            ordinary[i] = seconds_of_calls(theirs.entries);
            committed[i] = seconds_of_calls(ours.entries);
        }
        std::sort(ordinary.begin(), ordinary.end());
        std::sort(committed.begin(), committed.end());
        timed.push_back({ordinary[placements / 2], committed[placements / 2]});
    }
    return timed[round];
}

inline experiment calls_of(std::string name, int rounds, double call_times::* seconds) {
#if defined(__x86_64__)
    const auto measure = [seconds,
                          round = std::make_shared<std::size_t>(0)](benchmark::State& state) {
        const double taken = call_round((*round)++).*seconds;
        while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(calls)))
            state.SetIterationTime(taken);
    };
#else
    const auto measure = [](benchmark::State&) {
        throw std::runtime_error("no machine code for this processor");
    };
#endif
    return {.name = std::move(name),
            .measure = measure,
            .times_itself = true,
            .iterations = static_cast<std::int64_t>(calls),
            .repetitions = rounds};
}

} // namespace palloc::bench::micro
