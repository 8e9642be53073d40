// SPDX-License-Identifier: MIT
/// @file
/// @brief How many mappings the process has, which the kernel limits.
#pragma once

#include <palloc/core/error.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief Mappings of this process, and how many the kernel lets it have (`vm.max_map_count`).
struct mapping_use {
    std::uint64_t used;
    std::uint64_t limit;

    [[nodiscard]] constexpr std::uint64_t left() const noexcept {
        return used < limit ? limit - used : 0;
    }
};

/// @brief Where a call fails by `os_failure` with ENOMEM: tells want of mappings from want of
/// memory. A change of permissions may need two mappings more, as it parts one into three.
/// @par Errors  `not_supported` without /proc; `os_failure`
/// @par Complexity  O(mappings): the kernel writes a line for each, 65,000 in some 50 ms
/// @par Thread safety  any thread
[[nodiscard]] result<mapping_use> mappings_in_use() noexcept;

} // namespace palloc::inline v0
