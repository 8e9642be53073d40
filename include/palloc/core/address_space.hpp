// SPDX-License-Identifier: MIT
/// @file
/// @brief What the addresses of this process are still free for.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

namespace palloc::inline v0 {

/// @brief The largest range of whole pages in `within` that nothing is mapped in; empty: none.
/// @par Errors  `os_failure`: /proc cannot be read
/// @par Complexity  O(mappings of the process)
[[nodiscard]] result<range> largest_gap(range within) noexcept;

} // namespace palloc::inline v0
