// SPDX-License-Identifier: MIT
/// @file
/// @brief How wishes for a node are met: by mbind where the machine has nodes; where it may not be
/// asked, or has no such node, the pages come from anywhere, and that is counted.
#pragma once

#include <palloc/backings/detail/node_binding.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/range.hpp>

#include <atomic>
#include <cstdint>

namespace palloc::inline v0 {

/// @par Thread safety  any thread
class node_placement {
  public:
    /// @brief Asks for pages that are not touched yet to come from a node.
    void place(range pages, numa_node node) noexcept {
        wishes_.fetch_add(1, std::memory_order_relaxed);
        if (const auto bound = detail::bind_to_node(pages, node, false); !bound)
            note(bound.error());
    }
    /// @brief Counts a wish for which nobody could be asked.
    void miss(error why) noexcept {
        wishes_.fetch_add(1, std::memory_order_relaxed);
        note(why);
    }
    /// @brief Withdraws the wish for pages that have no block any more.
    void forget(range pages) noexcept { (void)detail::bind_to_node(pages, any_node, false); }

    [[nodiscard]] bool is_used() const noexcept { return wishes() != 0; }
    /// @brief Ranges of pages, and blocks of a heap that has none, for which a node was named, and
    /// those of them that came from anywhere.
    [[nodiscard]] std::uint64_t wishes() const noexcept {
        return wishes_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t unmet() const noexcept {
        return unmet_.load(std::memory_order_relaxed);
    }
    /// @brief Why the last of them was not met.
    [[nodiscard]] error last_error() const noexcept {
        return last_.load(std::memory_order_relaxed);
    }

  private:
    void note(error why) noexcept {
        last_.store(why, std::memory_order_relaxed);
        unmet_.fetch_add(1, std::memory_order_relaxed);
    }

    std::atomic<std::uint64_t> wishes_{0};
    std::atomic<std::uint64_t> unmet_{0};
    std::atomic<error> last_{error{}};
};

} // namespace palloc::inline v0
