// SPDX-License-Identifier: MIT
/// @file
/// @brief Pages that the books of pools lie in.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstdint>

#include "seam.hpp"

namespace palloc::inline v0::os {

/// @brief The call that `map_storage` makes, for tests.
#if defined(_WIN32)
inline constexpr call maps_storage = call::allocate;
#else
inline constexpr call maps_storage = call::map;
#endif

/// @brief Zeroed private pages; on Linux none is paid for before it is touched.
/// @par Errors `os_failure`
[[nodiscard]] result<address> map_storage(std::uint64_t bytes) noexcept;
/// @brief Asks for no more memory than is touched; that only saves memory.
void keep_storage_sparse(range where) noexcept;
/// @brief Ends what `map_storage` made, all of it.
/// @par Errors `os_failure`
[[nodiscard]] result<void> unmap_storage(range where) noexcept;
/// @par Errors `os_failure`
[[nodiscard]] result<void> protect_storage(range where, permissions allowed) noexcept;

} // namespace palloc::inline v0::os
