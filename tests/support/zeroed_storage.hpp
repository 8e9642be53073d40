// SPDX-License-Identifier: MIT
/// @file
/// @brief Storage as a pool lends it to a bitmap: zeroed and aligned.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace palloc::test {

/// @brief At least `bytes` bytes, rounded up to whole cache lines.
class zeroed_storage {
  public:
    explicit zeroed_storage(std::size_t bytes)
        : lines_((bytes + storage_alignment - 1) / storage_alignment) {}

    [[nodiscard]] std::byte* data() noexcept { return lines_.front().bytes; }

    [[nodiscard]] bool all_zero() const noexcept {
        return std::ranges::all_of(lines_, [](const line& it) {
            return std::ranges::all_of(it.bytes, [](std::byte b) { return b == std::byte{0}; });
        });
    }

  private:
    struct alignas(storage_alignment) line {
        std::byte bytes[storage_alignment]{};
    };

    std::vector<line> lines_;
};

} // namespace palloc::test
