// SPDX-License-Identifier: MIT
/// @file
/// @brief The key by which the list of pmalloc pools is sealed.
///
/// It lies in a page of its own that is read-only as soon as the key is drawn. Who can read memory
/// can read it: it stands against stores, not against spies. The library defines both functions.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/siphash.hpp>

namespace palloc::inline v0::detail {

/// @brief Draws the key, the first time. Answers whether this was it.
/// @par Errors  `os_failure`: there is no key yet; it may be tried again
[[nodiscard]] result<bool> make_list_key() noexcept;
/// @brief The key; null before it is drawn.
[[nodiscard]] const siphash_key* list_key() noexcept;

} // namespace palloc::inline v0::detail
