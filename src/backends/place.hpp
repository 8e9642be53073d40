// SPDX-License-Identifier: MIT
/// @file
/// @brief Mapping at an address that is aligned, or lies in a range.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstdint>

#include <sys/types.h>

#include "os.hpp"
#include "page_parts.hpp"

namespace palloc::inline v0::os {

/// @brief What is to be mapped: the arguments of mmap but for the place.
struct mapping {
    int protection;
    int flags;
    int file = -1;
    off_t offset = 0;
    std::uint64_t page = page_bytes();
};

/// @brief Maps whole pages as `wanted` says; its node is the caller's affair.
/// @return the mapping's addresses.
/// @par Errors `zero_size`; `too_large`; `bad_alignment`; `out_of_memory` where `wanted.within` has
/// no room; `os_failure`. Nothing stays mapped.
/// @par Complexity one system call; three where the alignment exceeds a page; O(mappings of the
/// process) where `within` is set
[[nodiscard]] result<range> map_placed(const map_request& wanted, const mapping& what) noexcept;

} // namespace palloc::inline v0::os
