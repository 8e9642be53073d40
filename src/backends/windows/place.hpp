// SPDX-License-Identifier: MIT
/// @file
/// @brief Allocating at an address that is aligned, or lies in a range.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstdint>

#include "os.hpp"

namespace palloc::inline v0::os {

/// @brief Takes `bytes` bytes at an address, or anywhere where that is 0. Answers `address_taken`
/// where something is there.
class taker {
  public:
    [[nodiscard]] virtual result<address> take(address at, std::uint64_t bytes) noexcept = 0;

  protected:
    ~taker() = default;
};

/// @brief Takes whole pages as `wanted` says; the size is rounded already.
/// @par Errors `out_of_memory` where `wanted.within` has no room; `os_failure`. Nothing is taken.
/// @par Complexity O(allocations of the process) where an alignment beyond 64 KiB or a range is
/// wished for; else a system call
[[nodiscard]] result<address> take_placed(const map_request& wanted, std::uint64_t bytes,
                                          taker& of) noexcept;

/// @brief The same for what VirtualAlloc makes, which VirtualAlloc2 may place.
[[nodiscard]] result<address> allocate_placed(const map_request& wanted, std::uint64_t bytes,
                                              kind_of_pages kind) noexcept;

} // namespace palloc::inline v0::os
