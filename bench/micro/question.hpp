// SPDX-License-Identifier: MIT
/// @file
/// @brief The questions: what is measured, and which bars the answers must clear. A file each.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bar.hpp"

namespace palloc::bench::micro {

/// @brief Thrown by an experiment that this machine has no means for: it is skipped, with the
/// reason.
struct not_on_this_machine : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// @brief Two lines of the table: the least and the median of the repetitions.
struct experiment {
    std::string name;
    std::function<void(benchmark::State&)> measure; ///< may throw: then it could not be measured
    bool times_itself = false;   ///< by `SetIterationTime`; else it is the processor's time
    std::int64_t iterations = 0; ///< 0: as many as fill a repetition's 20 ms
    int repetitions = 15;
};

struct question {
    std::vector<experiment> experiments;
    std::vector<bar> bars;
};

[[nodiscard]] question ask_cache_miss();    ///< what does a load that misses every cache take?
[[nodiscard]] question ask_mixed_sizes();   ///< what does a pair take in a well-worn pool?
[[nodiscard]] question ask_fixed_size();    ///< what do blocks of one size take through std::pmr?
[[nodiscard]] question ask_policy_costs();  ///< what does each policy add to a pair?
[[nodiscard]] question ask_two_threads();   ///< what do two threads gain on one pool?
[[nodiscard]] question ask_two_processes(); ///< do two processes on one pool do as two threads?
[[nodiscard]] question ask_two_blocks();    ///< do two threads that fit fail for each other's sake?
[[nodiscard]] question ask_huge_pool();     ///< what does a pool of 64 TiB take until it is used?
[[nodiscard]] question ask_fault_in();      ///< what does the first touch of 1 GiB take?
[[nodiscard]] question ask_recorder();      ///< what does being recorded cost a program?
[[nodiscard]] question ask_jit_functions(); ///< what does memory for code take?
[[nodiscard]] question ask_protected_pools(); ///< what does protection take?
[[nodiscard]] question
ask_typed_allocators(); ///< what do kmalloc, kvmalloc and their vectors take?

/// @brief All of them, in that order.
[[nodiscard]] std::vector<question> all_questions();

/// @brief Built when it is first asked for.
template <class T>
class lazily {
  public:
    explicit lazily(std::function<std::unique_ptr<T>()> build) : build_(std::move(build)) {}

    [[nodiscard]] T& get() {
        if (!built_)
            built_ = build_();
        return *built_;
    }

  private:
    std::function<std::unique_ptr<T>()> build_;
    std::unique_ptr<T> built_;
};

} // namespace palloc::bench::micro
