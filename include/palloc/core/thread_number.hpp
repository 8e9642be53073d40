// SPDX-License-Identifier: MIT
/// @file
/// @brief Small numbers for threads.
#pragma once

#include <palloc/core/version.hpp>

#include <atomic>
#include <cstdint>

namespace palloc::inline v0 {

namespace detail {

inline constinit std::atomic<std::uint32_t> threads_numbered = 0;
inline constinit thread_local std::uint32_t own_thread_number = 0; ///< plus 1; 0: none yet

} // namespace detail

/// @brief The number of this thread: 0, 1, 2, … in order of first asking. None is used twice.
/// @par Thread safety any thread; async-signal-safe where thread-local storage is static
[[nodiscard]] inline std::uint32_t thread_number() noexcept {
    // A signal handler in between takes a number too, and the later of the two stays.
    if (detail::own_thread_number == 0) [[unlikely]]
        detail::own_thread_number =
            detail::threads_numbered.fetch_add(1, std::memory_order_relaxed) + 1;
    return detail::own_thread_number - 1;
}

} // namespace palloc::inline v0
