// SPDX-License-Identifier: MIT
/// @file
/// @brief What may be done to memory.
///
///     using namespace palloc::perm;
///     permissions code = R | X;   // R | W | X, W alone and X alone do not compile
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/version.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief Access to pages. A value that is both writable and executable does not exist.
enum class permissions : std::uint8_t { none = 0, read = 1, read_write = 3, read_execute = 5 };

/// @brief Whether stores are allowed.
[[nodiscard]] constexpr bool writable(permissions p) noexcept {
    return p == permissions::read_write;
}

/// @brief Whether instructions may be fetched.
[[nodiscard]] constexpr bool executable(permissions p) noexcept {
    return p == permissions::read_execute;
}

/// @brief Whether loads are allowed.
[[nodiscard]] constexpr bool readable(permissions p) noexcept {
    return p != permissions::none;
}

/// @brief What is known at run time only, checked.
/// @par Errors  `bad_argument`: writable and executable, or either without readable
[[nodiscard]] constexpr result<permissions> permissions_of(bool may_read, bool may_write,
                                                           bool may_execute) noexcept {
    if ((may_write && may_execute) || ((may_write || may_execute) && !may_read))
        return fail(errc::bad_argument);
    if (may_write)
        return permissions::read_write;
    if (may_execute)
        return permissions::read_execute;
    return may_read ? permissions::read : permissions::none;
}

template <unsigned Flags>
concept never_writable_and_executable = (Flags & 6U) != 6U;
template <unsigned Flags>
concept writable_or_executable_is_readable = (Flags & 6U) == 0 || (Flags & 1U) != 0;

/// @brief A set of `perm::R`, `perm::W`, `perm::X`, put together when compiling.
template <unsigned Flags>
struct permission_flags {
    // NOLINTNEXTLINE(google-explicit-constructor): the set is the permissions, spelled out
    consteval operator permissions() const noexcept
        requires writable_or_executable_is_readable<Flags>
    {
        return static_cast<permissions>(Flags);
    }
};

template <unsigned A, unsigned B>
    requires never_writable_and_executable<(A | B)>
[[nodiscard]] consteval permission_flags<(A | B)> operator|(permission_flags<A>,
                                                            permission_flags<B>) noexcept {
    return {};
}

namespace perm {

inline constexpr permission_flags<1> R; // NOLINT(readability-identifier-naming)
inline constexpr permission_flags<2> W; // NOLINT(readability-identifier-naming)
inline constexpr permission_flags<4> X; // NOLINT(readability-identifier-naming)

} // namespace perm
} // namespace palloc::inline v0
