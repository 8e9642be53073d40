// SPDX-License-Identifier: MIT
/// @file
/// @brief The protection keys of the process: one for main views, one for aliases.
///
/// A machine has fifteen keys, and a program has more pools than that; so all of them share these
/// two, which are taken when the first is needed and kept. A thread that is older than a key has no
/// access at all to what is under it.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

namespace palloc::inline v0::os {

/// @brief Puts pages that are readable and writable under the key: this thread may only read a main
/// view, and do nothing with an alias, until it opens the lock.
/// @par Errors `not_supported` where the machine has no key left; `os_failure`
[[nodiscard]] result<void> put_under_key(range where, view which) noexcept;
/// @brief Makes them plain writable pages again.
[[nodiscard]] result<void> take_from_key(range where) noexcept;

/// @brief Gives this thread all rights.
/// @pre  Something was put under the key.
void open_key(view which) noexcept;
/// @brief Takes them again, where this thread has closed as often as it has opened.
/// @pre  This thread has opened it.
void close_key(view which) noexcept;

} // namespace palloc::inline v0::os
