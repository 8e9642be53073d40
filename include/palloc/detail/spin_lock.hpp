// SPDX-License-Identifier: MIT
/// @file
/// @brief A lock of one byte for paths that are cold and short.
#pragma once

#include <palloc/core/version.hpp>

#include <atomic>

namespace palloc::inline v0::detail {

/// @brief Mutual exclusion by waiting; models BasicLockable.
class spin_lock {
  public:
    void lock() noexcept {
        while (taken_.test_and_set(std::memory_order_acquire))
            while (taken_.test(std::memory_order_relaxed)) {
            }
    }
    /// @brief Takes it, unless it stays taken for as long as a short path takes.
    [[nodiscard]] bool try_lock() noexcept {
        for (int attempt = 0; attempt != 100'000; ++attempt)
            if (!taken_.test(std::memory_order_relaxed) &&
                !taken_.test_and_set(std::memory_order_acquire))
                return true;
        return false;
    }
    void unlock() noexcept { taken_.clear(std::memory_order_release); }

  private:
    std::atomic_flag taken_{};
};

/// @brief Holds the lock for a scope if `Needed`, else does nothing.
template <bool Needed>
class locked_if {
  public:
    explicit locked_if(spin_lock& lock) noexcept : lock_(lock) {
        if constexpr (Needed)
            lock_.lock();
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
