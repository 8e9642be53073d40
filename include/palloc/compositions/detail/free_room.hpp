// SPDX-License-Identifier: MIT
/// @file
/// @brief What any part of a composition says about its free memory.
#pragma once

#include <palloc/core/version.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace palloc::inline v0::detail {

/// @brief Tells how much is free, and the longest run of it: `fragmentation` follows.
template <class P>
concept tells_free_room = requires(const std::remove_cvref_t<P>& p) {
    { p.free_bytes() } -> std::same_as<std::uint64_t>;
    { p.largest_free_run_bytes() } -> std::same_as<std::uint64_t>;
};

/// @brief 1 - largest run / all that is free; 0 where nothing is.
[[nodiscard]] constexpr double fragmentation_of(std::uint64_t largest_bytes,
                                                std::uint64_t free_bytes) noexcept {
    return free_bytes == 0
               ? 0.0
               : 1.0 - static_cast<double>(largest_bytes) / static_cast<double>(free_bytes);
}

} // namespace palloc::inline v0::detail
