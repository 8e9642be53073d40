// SPDX-License-Identifier: MIT
/// @file
/// @brief Runs of granules, and the question that an algorithm is asked.
#pragma once

#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief `count` granules from `first` on.
struct granule_run {
    std::size_t first = 0;
    std::size_t count = 0;

    /// @brief One past the last granule.
    [[nodiscard]] constexpr std::size_t last() const noexcept { return first + count; }

    friend constexpr bool operator==(granule_run, granule_run) = default;
};

namespace detail {

/// @brief No position. Where every call goes by, positions travel as plain numbers: g++ 12 puts an
/// optional in two registers together in memory, and waits for it.
inline constexpr std::size_t nowhere = ~std::size_t{0};

} // namespace detail

/// @brief A request as the bitmap sees it: granules and positions relative to the chunk.
///
/// Position p is legal iff `from <= p`, `p + count <= limit` and `((p + phase) & mask) == 0`.
/// `mask + 1` is a power of two. `phase` carries the chunk's base into the positions, so that a
/// legal position is an aligned *address* whatever the base. `base` and `granule_bytes` are there
/// for algorithms that speak of addresses.
struct placement {
    std::size_t count = 1;
    std::size_t from = 0;
    std::size_t limit = 0;
    std::size_t mask = 0;
    std::size_t phase = 0;
    address base = 0;
    std::uint64_t granule_bytes = 1;

    /// @brief The lowest aligned position that is not below `position`.
    [[nodiscard]] constexpr std::size_t align_up(std::size_t position) const noexcept {
        return position + ((0 - (position + phase)) & mask);
    }

    /// @brief Whether a run of `count` granules may be placed at `position`.
    [[nodiscard]] constexpr bool legal(std::size_t position) const noexcept {
        return position >= from && position <= limit && count <= limit - position &&
               ((position + phase) & mask) == 0;
    }

    /// @brief Restricts it to one position. Answers false, and changes nothing, where that is not
    /// legal.
    [[nodiscard]] constexpr bool pin(std::uint64_t position) noexcept {
        if (position > limit || !legal(static_cast<std::size_t>(position)))
            return false;
        from = static_cast<std::size_t>(position);
        limit = from + count;
        return true;
    }

    /// @brief Where in the free run a legal position lies; its `limit` if there is none.
    [[nodiscard]] constexpr std::size_t first_legal_in(granule_run run) const noexcept {
        const std::size_t start = align_up(run.first < from ? from : run.first);
        const std::size_t end = run.last() < limit ? run.last() : limit;
        return start <= end && count <= end - start && start >= run.first ? start : limit;
    }
};

} // namespace palloc::inline v0
