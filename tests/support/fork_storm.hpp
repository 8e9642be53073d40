// SPDX-License-Identifier: MIT
/// @file
/// @brief Forks in the midst of what two threads do.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "in_child.hpp"
#include "random.hpp"

namespace palloc::test {

/// @brief Two threads that work in bursts, one a fork: from before it until it has happened. For
/// the rest of the time that a child is waited for they rest: nothing is learnt from their
/// processor time.
///
/// `Worker` is made from a seed; `step(random)` does something and answers whether all was right,
/// as `finish()` does in the end.
template <class Worker>
class fork_storm {
  public:
    template <class Make>
    explicit fork_storm(Make make) : amid_(shared_counter()) {
        for (std::size_t i = 0; i != count; ++i)
            threads_.emplace_back([this, make, i] { work(make(i + 1), i); });
    }
    ~fork_storm() {
        (void)end();
        ::munmap(amid_, sizeof *amid_);
    }
    fork_storm(const fork_storm&) = delete;
    fork_storm& operator=(const fork_storm&) = delete;

    /// @brief Forks while they work, and answers what `act` answers in the child.
    template <class Act>
    [[nodiscard]] int fork_amid(Act&& act, random_source& random) {
        const std::uint32_t burst = burst_.fetch_add(1) + 1;
        burst_.notify_all();
        const auto works = [&](const state& each) { return each.burst == burst; };
        while (std::ranges::none_of(states_, works))
            std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(100)));
        const pid_t child = start_child(
            [&] {
                // The child's copy says what the threads were doing when it was made.
                if (std::ranges::any_of(states_,
                                        [](const state& each) { return each.in_step.load(); }))
                    ++*amid_;
                return act();
            },
            20);
        forked_ = burst;
        return end_of(child);
    }

    /// @brief How many forks came while a thread was inside a step, running or not.
    [[nodiscard]] std::uint64_t forks_amid() const { return *amid_; }

    /// @brief Ends the threads, and answers how often something was wrong.
    [[nodiscard]] std::uint64_t end() {
        stop_ = true;
        burst_.fetch_add(1);
        burst_.notify_all();
        for (std::thread& each : threads_)
            each.join();
        threads_.clear();
        return spoilt_;
    }

  private:
    static constexpr std::size_t count = 2;

    struct state {
        std::atomic<std::uint32_t> burst{0};
        std::atomic<bool> in_step{false};
    };
    using counter = std::atomic<std::uint64_t>;

    /// Children count here, too.
    static counter* shared_counter() {
        void* const page = ::mmap(nullptr, sizeof(counter), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            throw std::bad_alloc();
        return new (page) counter(0);
    }

    void work(Worker worker, std::size_t i) {
        random_source random(i + 1);
        for (std::uint32_t seen = 0; !stop_;) {
            burst_.wait(seen);
            seen = burst_;
            states_[i].burst = seen;
            while (forked_ < seen && !stop_) {
                states_[i].in_step = true;
                spoilt_ += worker.step(random) ? 0U : 1U;
                states_[i].in_step = false;
            }
        }
        spoilt_ += worker.finish() ? 0U : 1U;
    }

    std::atomic<bool> stop_{false};
    std::atomic<std::uint32_t> burst_{0};  ///< that they are to work in
    std::atomic<std::uint32_t> forked_{0}; ///< that is over
    std::atomic<std::uint64_t> spoilt_{0};
    std::array<state, count> states_;
    counter* amid_;
    std::vector<std::thread> threads_;
};

} // namespace palloc::test
