// SPDX-License-Identifier: MIT
/// @file
/// @brief How many pages of this process are touched, now and at most.
#pragma once

#include <cstdint>

namespace palloc::bench {

/// @brief Prepares a child process so that afterwards its resident pages grow by the measured
/// allocator's doing only: no transparent huge pages (the figure is exact to a page), all mapped
/// files resident, what malloc keeps in reserve given back.
void settle_memory();

/// @brief Makes resident what the harness's calls will need of the calling thread's stack.
void touch_stack() noexcept;

/// @brief Resident bytes now.
[[nodiscard]] std::uint64_t resident_bytes() noexcept;

/// @brief The same to the page, by a walk through the page tables: some milliseconds.
[[nodiscard]] std::uint64_t exact_resident_bytes() noexcept;

/// @brief Forgets the past peak. @return the resident bytes from which the new one starts
[[nodiscard]] std::uint64_t restart_peak_resident() noexcept;

/// @brief The most bytes that were resident at once since then. The kernel counts in batches where
///   pages were unmapped at the peak: up to 64 pages a processor may be missing.
[[nodiscard]] std::uint64_t peak_resident_bytes() noexcept;

} // namespace palloc::bench
