// SPDX-License-Identifier: MIT
/// @file
/// @brief What kind of failure the operating system's own code stands for.
#pragma once

#include <palloc/core/error.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace palloc::inline v0 {

namespace detail {

#if defined(_WIN32)
// Too many open files; not enough memory, system resources, paging file; a quota.
inline constexpr std::array<std::int32_t, 6> shortage_codes{4, 8, 1450, 1453, 1455, 1816};
// Access denied; code is prohibited; not supported.
inline constexpr std::array<std::int32_t, 3> denial_codes{5, 1655, 50};
inline constexpr std::int32_t busy_code = 170;
#else
inline constexpr std::array<std::int32_t, 4> shortage_codes{ENOMEM, EAGAIN, ENFILE, EMFILE};
inline constexpr std::array<std::int32_t, 3> denial_codes{EACCES, EPERM, ENOSYS};
inline constexpr std::int32_t busy_code = EBUSY;
#endif

} // namespace detail

/// @brief Whether the system refused for want of something, which may pass.
[[nodiscard]] constexpr bool is_shortage(error why) noexcept {
    return why.code == errc::os_failure &&
           std::ranges::find(detail::shortage_codes, why.os_code) != detail::shortage_codes.end();
}

/// @brief Whether the system does not let this process do that.
[[nodiscard]] constexpr bool is_denial(error why) noexcept {
    return why.code == errc::os_failure &&
           std::ranges::find(detail::denial_codes, why.os_code) != detail::denial_codes.end();
}

/// @brief Whether the system refused because somebody still uses the thing.
[[nodiscard]] constexpr bool is_busy(error why) noexcept {
    return why == error{errc::os_failure, detail::busy_code};
}

} // namespace palloc::inline v0
