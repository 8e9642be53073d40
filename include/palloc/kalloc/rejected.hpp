// SPDX-License-Identifier: MIT
/// @file
/// @brief An error that gives back what could not be stored.
#pragma once

#include <palloc/core/error.hpp>

#include <tl/expected.hpp>

#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief Why, and the value that was passed in, untouched.
template <class T>
struct rejected {
    error why;
    T value;
};

/// @brief A `R`, or the `T` that could not be stored, and why.
template <class R, class T>
using accepted = tl::expected<R, rejected<T>>;

/// @brief Gives a value back.
template <class T>
[[nodiscard]] constexpr tl::unexpected<rejected<T>>
reject(error why, T&& value) noexcept(std::is_nothrow_move_constructible_v<T>)
    requires(!std::is_reference_v<T>)
{
    return tl::unexpected<rejected<T>>(rejected<T>{why, std::forward<T>(value)});
}

} // namespace palloc::inline v0
