// SPDX-License-Identifier: MIT
/// @file
/// @brief A lock whose holder may be missing: in the child of a fork only one thread goes on.
#pragma once

#include <palloc/core/process.hpp>

#include <atomic>
#include <cstdint>
#include <thread>

namespace palloc::inline v0::detail {

/// @brief Mutual exclusion by waiting, with the processor given away soon.
class fork_lock {
  public:
    /// @brief Answers false where a thread has it that did not come along into this process: what
    /// it was changing will never be whole.
    [[nodiscard]] bool lock() noexcept {
        const std::uint64_t own = process_generation();
        for (int attempt = 0;; ++attempt) {
            std::uint64_t holder = 0;
            if (holder_.compare_exchange_weak(holder, own, std::memory_order_acquire,
                                              std::memory_order_relaxed)) [[likely]]
                return true;
            if (holder != 0 && holder != own)
                return false;
            if (attempt > 64)
                std::this_thread::yield();
        }
    }
    void unlock() noexcept { holder_.store(0, std::memory_order_release); }

  private:
    std::atomic<std::uint64_t> holder_{0}; ///< the generation of the process that has it
};

/// @brief Holds it for a scope, if it can be had.
class fork_guard {
  public:
    explicit fork_guard(fork_lock& lock) noexcept : lock_(lock.lock() ? &lock : nullptr) {}
    ~fork_guard() {
        if (lock_ != nullptr)
            lock_->unlock();
    }
    fork_guard(const fork_guard&) = delete;
    fork_guard& operator=(const fork_guard&) = delete;
    [[nodiscard]] explicit operator bool() const noexcept { return lock_ != nullptr; }

  private:
    fork_lock* lock_;
};

} // namespace palloc::inline v0::detail
