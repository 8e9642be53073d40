// SPDX-License-Identifier: MIT
/// @file
/// @brief Who holds each granule of some addresses: tells when two blocks overlap, whoever asks.
#pragma once

#include <palloc/core/range.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace palloc::test {

/// @par Thread safety any thread and signal handlers
class granule_owners {
  public:
    granule_owners(range where, std::uint64_t granule_bytes)
        : where_(where), granule_(granule_bytes),
          owners_(static_cast<std::size_t>(where.bytes / granule_bytes)) {}

    /// @brief The block was nobody's, and is now `who`'s; counted as wrong if it was not.
    void take(address block, std::uint64_t bytes, unsigned who) { change(block, bytes, 0, who); }
    /// @brief The block is `who`'s, and nobody's from now on.
    void give(address block, std::uint64_t bytes, unsigned who) { change(block, bytes, who, 0); }
    /// @brief Granules that were not as they should have been.
    [[nodiscard]] std::size_t wrong() const { return wrong_.load(); }

  private:
    void change(address block, std::uint64_t bytes, unsigned from, unsigned to) {
        if (!where_.contains(range{block, bytes})) {
            ++wrong_;
            return;
        }
        const auto first = static_cast<std::size_t>((block - where_.base) / granule_);
        for (std::size_t i = first; i <= (block - where_.base + bytes - 1) / granule_; ++i)
            if (owners_[i].exchange(to, std::memory_order_relaxed) != from)
                ++wrong_;
    }

    range where_;
    std::uint64_t granule_;
    std::vector<std::atomic<unsigned>> owners_;
    std::atomic<std::size_t> wrong_ = 0;
};

} // namespace palloc::test
