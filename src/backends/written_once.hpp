// SPDX-License-Identifier: MIT
/// @file
/// @brief What is decided once in the life of the process and trusted ever after: in pages of its
/// own, which are read-only but for the moment of writing.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/siphash.hpp>
#include <palloc/core/spin_lock.hpp>

#include <array>
#include <atomic>
#include <mutex>

namespace palloc::inline v0::os {

struct written_once {
    siphash_key list_key{};
    std::atomic<bool> has_list_key = false;
    std::array<std::atomic<int>, 2> keys{}; ///< protection keys; 0, which nobody is given: none yet
};

/// @brief Where it is: found by arithmetic, so that no pointer to it can be overwritten.
[[nodiscard]] written_once& trusted() noexcept;
/// @par Errors `os_failure`
[[nodiscard]] result<void> protect_trusted(permissions allowed) noexcept;
[[nodiscard]] detail::spin_lock& trusted_lock() noexcept;

/// @brief Calls `change` while it can be written; and `undo`, where it cannot be closed again.
/// @par Errors `os_failure`: nothing changed
template <class Change, class Undo>
[[nodiscard]] result<void> write_once(Change&& change, Undo&& undo) noexcept {
    const std::scoped_lock alone(trusted_lock());
    if (auto opened = protect_trusted(permissions::read_write); !opened)
        return opened;
    change(trusted());
    auto closed = protect_trusted(permissions::read);
    if (!closed)
        undo(trusted());
    return closed;
}

} // namespace palloc::inline v0::os
