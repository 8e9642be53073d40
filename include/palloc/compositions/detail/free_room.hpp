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

/// @brief The free memory of blocks that are kept in front of a pool, to which they are in use.
/// @tparam Self  derives from this; has `pool()` and `kept_bytes()`.
template <class Self, class Pool>
class room_behind_kept_blocks {
  public:
    /// @brief Bytes of the pool that are free, and of the blocks that are kept.
    [[nodiscard]] std::uint64_t free_bytes() const noexcept
        requires tells_free_room<Pool>
    {
        return self().pool().free_bytes() + self().kept_bytes();
    }
    /// @brief The pool's, and 1 - that / all free bytes.
    [[nodiscard]] std::uint64_t largest_free_run_bytes() const noexcept
        requires tells_free_room<Pool>
    {
        return self().pool().largest_free_run_bytes();
    }
    [[nodiscard]] double fragmentation() const noexcept
        requires tells_free_room<Pool>
    {
        return fragmentation_of(largest_free_run_bytes(), free_bytes());
    }

  private:
    friend Self;
    room_behind_kept_blocks() = default;
    [[nodiscard]] const Self& self() const noexcept { return static_cast<const Self&>(*this); }
};

} // namespace palloc::inline v0::detail
