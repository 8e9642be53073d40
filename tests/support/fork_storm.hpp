// SPDX-License-Identifier: MIT
/// @file
/// @brief Forks in the midst of what two threads do.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

#include "in_child.hpp"
#include "random.hpp"

namespace palloc::test {

/// @brief Two threads that work in bursts, one a fork. For the rest of the time that a child is
/// waited for they rest: nothing is learnt from their processor time.
///
/// `Worker` is made from a seed; `step(random)` does something and answers whether all was right,
/// as `finish()` does in the end; `longest_burst` is how many steps a burst has at most.
template <class Worker>
class fork_storm {
  public:
    template <class Make>
    explicit fork_storm(Make make) {
        for (const std::uint64_t seed : {1U, 2U})
            threads_.emplace_back([this, make, seed] { work(make(seed), seed); });
    }
    ~fork_storm() { (void)end(); }
    fork_storm(const fork_storm&) = delete;
    fork_storm& operator=(const fork_storm&) = delete;

    /// @brief Forks while they work, and answers what `act` answers in the child.
    template <class Act>
    [[nodiscard]] int fork_amid(Act&& act, random_source& random) {
        burst_.fetch_add(1);
        burst_.notify_all();
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(100)));
        amid_ += working_ != 0 ? 1U : 0U;
        return in_child(std::forward<Act>(act), 20);
    }

    /// @brief How many forks came while a thread was in a burst, running or not.
    [[nodiscard]] std::uint64_t forks_amid() const { return amid_; }

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
    void work(Worker worker, std::uint64_t seed) {
        random_source random(seed);
        for (std::uint32_t seen = 0; !stop_;) {
            burst_.wait(seen);
            seen = burst_;
            ++working_;
            for (auto steps = random.between(1, Worker::longest_burst); steps != 0; --steps)
                spoilt_ += worker.step(random) ? 0U : 1U;
            --working_;
        }
        spoilt_ += worker.finish() ? 0U : 1U;
    }

    std::atomic<bool> stop_{false};
    std::atomic<std::uint32_t> burst_{0};
    std::atomic<int> working_{0};
    std::atomic<std::uint64_t> spoilt_{0};
    std::uint64_t amid_ = 0;
    std::vector<std::thread> threads_;
};

} // namespace palloc::test
