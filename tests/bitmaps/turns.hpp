// SPDX-License-Identifier: MIT
/// @file
/// @brief Two threads that take turns at chosen accesses to what they share.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <ostream>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

namespace palloc::test {

/// @brief Thread 0 makes plan[0] accesses, then thread 1 plan[1], then thread 0 plan[2], and so on;
/// at the end of the plan, or of a thread, each runs to its own end.
class schedule {
  public:
    explicit schedule(std::vector<std::size_t> plan) : plan_(std::move(plan)) {}

    void run(const std::function<void()>& first, const std::function<void()>& second) {
        std::thread other([&] {
            go_on_[1].acquire();
            body(1, second);
        });
        body(0, first);
        other.join();
    }

    /// @brief How often the plan made them change.
    [[nodiscard]] std::size_t switches() const { return switches_; }

    friend std::ostream& operator<<(std::ostream& out, const schedule& it) {
        out << "plan";
        for (const std::size_t each : it.plan_)
            out << ' ' << each;
        return out;
    }

    /// @brief The calling thread is about to access the bitmap.
    static void access() {
        if (current_ != nullptr)
            current_->count();
    }

  private:
    void count() {
        if (one_ended_ || switches_ == plan_.size() || accesses_++ != plan_[switches_])
            return;
        ++switches_;
        accesses_ = 0;
        const std::size_t me = me_;
        go_on_[1 - me].release();
        go_on_[me].acquire();
    }

    void body(std::size_t me, const std::function<void()>& what) {
        me_ = me;
        current_ = this;
        what();
        current_ = nullptr;
        if (!std::exchange(one_ended_, true))
            go_on_[1 - me].release();
    }

    std::vector<std::size_t> plan_;
    std::size_t switches_ = 0;
    std::size_t accesses_ = 0;
    bool one_ended_ = false;
    std::binary_semaphore go_on_[2] = {std::binary_semaphore(0), std::binary_semaphore(0)};
    static inline thread_local schedule* current_ = nullptr;
    static inline thread_local std::size_t me_ = 0;
};

/// @brief As much of std::atomic as bitmaps use, counted as accesses.
template <class T>
class watched {
  public:
    T load() const { return here().load(); }
    void store(T value) { here().store(value); }
    T fetch_add(T value) { return here().fetch_add(value); }
    T fetch_sub(T value) { return here().fetch_sub(value); }
    T fetch_or(T value) { return here().fetch_or(value); }
    T fetch_and(T value) { return here().fetch_and(value); }
    bool compare_exchange_weak(T& seen, T wanted) {
        return here().compare_exchange_strong(seen, wanted);
    }
    bool compare_exchange_strong(T& seen, T wanted) {
        return here().compare_exchange_strong(seen, wanted);
    }

  private:
    std::atomic<T>& here() const {
        schedule::access();
        return value_;
    }
    mutable std::atomic<T> value_;
};

} // namespace palloc::test
