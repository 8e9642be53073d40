// SPDX-License-Identifier: MIT
/// @file
/// @brief Keeps the threads of a replay within sight of each other.
///
/// Real threads were held together by what they waited for; a trace does not tell. Without that, a
/// thread that began late would run beside the first ones, and the blocks live at once would be
/// others than the program's. So the trace is cut into windows of equal length, and a thread enters
/// a window when all operations before the window's predecessor are done.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mapped_array.hpp"

namespace palloc::bench {

class window_gate {
  public:
    /// @param operations  of the whole trace
    /// @param length      of a window, in operations
    window_gate(std::size_t operations, std::size_t length)
        : windows_(static_cast<std::uint32_t>((operations + length - 1) / length)),
          left_(windows_, residence::at_once) {
        for (std::uint32_t& left : left_) {
            left = static_cast<std::uint32_t>(std::min(operations, length));
            operations -= left;
        }
    }

    /// @brief Waits until the window may be entered.
    void enter(std::uint32_t window) noexcept {
        for (;;) {
            const std::uint32_t frontier = frontier_.load();
            if (window <= frontier || window - frontier <= 1)
                return;
            frontier_.wait(frontier);
        }
    }

    /// @brief Tells that a thread has done all of its `operations` in the window.
    void leave(std::uint32_t window, std::uint32_t operations) noexcept {
        if (std::atomic_ref(left_[window]).fetch_sub(operations) != operations)
            return;
        std::uint32_t frontier = frontier_.load();
        while (frontier < windows_ && std::atomic_ref(left_[frontier]).load() == 0)
            if (frontier_.compare_exchange_weak(frontier, frontier + 1))
                ++frontier;
        frontier_.notify_all();
    }

    /// @brief Lets everybody through, for good.
    void open() noexcept {
        frontier_.store(windows_);
        frontier_.notify_all();
    }

  private:
    std::uint32_t windows_;
    mapped_array<std::uint32_t> left_;        // operations of each window that are not done
    std::atomic<std::uint32_t> frontier_ = 0; // the first window that is not done
};

} // namespace palloc::bench
