// SPDX-License-Identifier: MIT
/// @file
/// @brief Threads that do the same at the same time, on a processor each.
#pragma once

#include <palloc/core/thread_number.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <sched.h>
#include <span>
#include <thread>
#include <vector>

namespace palloc::bench::micro {

/// @brief Keeps the calling thread on a processor: the i-th of those that the process may use.
/// Where there is none, the scheduler decides.
inline void settle_on_processor(std::size_t i) noexcept {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    for (std::size_t cpu = 0; cpu != CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &allowed) && i-- == 0) {
            cpu_set_t own;
            CPU_ZERO(&own);
            CPU_SET(cpu, &own);
            (void)sched_setaffinity(0, sizeof own, &own);
            return;
        }
}

/// @brief Two threads that live on, so that they keep their numbers, and with them the places where
/// `spread` begins. They ask for them in their order, at once.
class pair_of_threads {
  public:
    static constexpr std::size_t size = 2;

    pair_of_threads() : begin_(size + 1), end_(size + 1) {
        for (std::size_t i = 0; i != size; ++i)
            members_.emplace_back([this, i] { serve(i); });
        for (std::size_t threads = 1; threads <= size; ++threads)
            run(threads, [](std::size_t) { (void)thread_number(); });
    }
    pair_of_threads(const pair_of_threads&) = delete;
    pair_of_threads& operator=(const pair_of_threads&) = delete;
    ~pair_of_threads() { begin_.arrive_and_wait(); }

    /// @brief Calls `task(i)` in the first `threads` of them, and waits.
    template <class Task>
    void run(std::size_t threads, Task&& task) {
        task_ = [&](std::size_t i) {
            if (i < threads)
                task(i);
        };
        begin_.arrive_and_wait();
        end_.arrive_and_wait();
        task_ = nullptr;
    }

  private:
    void serve(std::size_t i) {
        settle_on_processor(i);
        while (true) {
            begin_.arrive_and_wait();
            if (!task_)
                return;
            task_(i);
            end_.arrive_and_wait();
        }
    }

    std::barrier<> begin_;
    std::barrier<> end_;
    std::function<void(std::size_t)> task_; ///< none: they end
    std::vector<std::jthread> members_;
};

/// @brief The one that serves all experiments; made when it is first asked for.
[[nodiscard]] inline pair_of_threads& both_threads() {
    static pair_of_threads both;
    return both;
}

/// @brief What threads did side by side.
struct lap {
    std::uint64_t steps = 0;
    double seconds = 0;      ///< that passed
    double on_processor = 0; ///< part of the time; the least of the threads

    /// @brief Nobody else wanted the processors.
    [[nodiscard]] bool undisturbed() const noexcept { return on_processor >= 0.96; }
};

/// @brief Calls `step()` for 2 ms from the moment on when all `runners` have called this with the
/// same `ready`: the scheduler seldom takes a processor away so soon.
template <class Step>
[[nodiscard]] lap own_lap(std::atomic<std::size_t>& ready, std::size_t runners, Step&& step) {
    using clock = std::chrono::steady_clock;
    constexpr std::chrono::duration<double> length = std::chrono::milliseconds(2);
    constexpr std::uint64_t steps_between_looks = 64;
    const auto processor_seconds = [] {
        timespec used{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
        return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
    };

    ready.fetch_add(1);
    while (ready.load() < runners) { // spins: waking up would take as long as many steps
    }
    const double used_before = processor_seconds();
    const auto begin = clock::now();
    std::chrono::duration<double> taken{};
    std::uint64_t steps = 0;
    for (; taken < length; taken = clock::now() - begin) {
        for (std::uint64_t n = 0; n != steps_between_looks; ++n)
            step();
        steps += steps_between_looks;
    }
    return {steps, taken.count(), (processor_seconds() - used_before) / taken.count()};
}

/// @brief The laps of several as one.
[[nodiscard]] inline lap together(std::span<const lap> each) {
    lap all = each[0];
    for (const lap& other : each.subspan(1)) {
        all.steps += other.steps;
        all.seconds = std::max(all.seconds, other.seconds);
        all.on_processor = std::min(all.on_processor, other.on_processor);
    }
    return all;
}

/// @brief Each of `threads` threads calls `step(i)` from the same moment on.
template <class Step>
[[nodiscard]] lap run_lap(std::size_t threads, Step&& step) {
    std::array<lap, pair_of_threads::size> each;
    std::atomic<std::size_t> ready = 0;
    both_threads().run(threads,
                       [&](std::size_t i) { each[i] = own_lap(ready, threads, [&] { step(i); }); });
    return together(std::span(each).first(threads));
}

/// @brief Several laps of `run_one()`, in which nobody else wanted the processors if there are any
/// such.
template <class RunOne>
[[nodiscard]] lap sum_of_laps(RunOne&& run_one) {
    constexpr int wanted_laps = 8;
    constexpr int most_laps = 40;
    lap good;
    lap all;
    int good_laps = 0;
    int laps = 0;
    const auto add = [](lap& sum, const lap& next) {
        sum.steps += next.steps;
        sum.seconds += next.seconds;
        sum.on_processor += next.on_processor;
    };
    while (laps != most_laps && good_laps != wanted_laps) {
        const lap next = run_one();
        ++laps;
        add(all, next);
        if (!next.undisturbed())
            continue;
        ++good_laps;
        add(good, next);
    }
    lap& result = good_laps != 0 ? good : all;
    result.on_processor /= good_laps != 0 ? good_laps : laps;
    return result;
}

template <class Step>
[[nodiscard]] lap run_laps(std::size_t threads, Step&& step) {
    return sum_of_laps([&] { return run_lap(threads, step); });
}

} // namespace palloc::bench::micro
