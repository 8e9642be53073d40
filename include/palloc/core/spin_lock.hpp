// SPDX-License-Identifier: MIT
/// @file
/// @brief A lock for paths that are cold and short, which a child of fork finds free whoever held
/// it in the parent.
///
/// It remembers the process of its holder. A thread of the parent that held it does not exist in
/// the child, which takes the lock over, and is told so: what it guards may be half changed.
#pragma once

#include <palloc/core/version.hpp>

#include <atomic>
#include <cstdint>

namespace palloc::inline v0::detail {

/// @brief A number that differs between a process and its children of fork; never 0. The library
/// defines it, and asks the system the first time only.
[[nodiscard]] std::uint64_t this_process() noexcept;

/// @brief Mutual exclusion by waiting; models BasicLockable.
class spin_lock {
  public:
    /// @brief Answers whether it was taken over from another process.
    bool lock() noexcept {
        const std::uint64_t self = this_process();
        for (;;) {
            std::uint64_t holder = 0;
            if (holder_.compare_exchange_strong(holder, self, std::memory_order_acquire))
                return false;
            if (holder != self &&
                holder_.compare_exchange_strong(holder, self, std::memory_order_acquire))
                return true;
            while (holder_.load(std::memory_order_relaxed) == self) {
            }
        }
    }
    /// @brief Takes it, unless it stays taken for as long as a short path takes.
    [[nodiscard]] bool try_lock() noexcept {
        const std::uint64_t self = this_process();
        for (int attempt = 0; attempt != 100'000; ++attempt)
            if (std::uint64_t holder = holder_.load(std::memory_order_relaxed);
                holder != self &&
                holder_.compare_exchange_strong(holder, self, std::memory_order_acquire))
                return true;
        return false;
    }
    void unlock() noexcept { holder_.store(0, std::memory_order_release); }

  private:
    std::atomic<std::uint64_t> holder_{0};
};

/// @brief Holds the lock for a scope if `Needed`, else does nothing.
template <bool Needed>
class locked_if {
  public:
    explicit locked_if(spin_lock& lock) noexcept : locked_if(lock, [] {}) {}

    /// @param repair  called where a thread of the parent may have left a change half done
    template <class Repair>
    locked_if(spin_lock& lock, [[maybe_unused]] Repair&& repair) noexcept : lock_(lock) {
        if constexpr (Needed)
            if (lock_.lock())
                repair();
    }
    ~locked_if() {
        if constexpr (Needed)
            lock_.unlock();
    }
    locked_if(const locked_if&) = delete;
    locked_if& operator=(const locked_if&) = delete;

  private:
    [[maybe_unused]] spin_lock& lock_;
};

} // namespace palloc::inline v0::detail
