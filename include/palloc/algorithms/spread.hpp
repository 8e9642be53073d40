// SPDX-License-Identifier: MIT
/// @file
/// @brief First fit, but every thread begins in a place of its own.
///
/// When to choose it: several threads on one `atomic` pool, or processes on a `claimed` one. With
/// first_fit all of them want the same word; here they meet only when the pool is nearly full.
/// Costs: one or two `find_fit`; 4 bytes a thread; the lower end of a chunk is no longer the fuller
/// one.
///
/// Source: the starting places are van der Corput's sequence: any number of threads, numbered in
/// order of arrival, divide the chunk about evenly.
#pragma once

#include <palloc/algorithms/detail/rotated_fit.hpp>
#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>
#include <palloc/core/thread_number.hpp>
#include <palloc/core/wide.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places at the lowest legal free position from the thread's own place on, else at the
/// lowest. Thread 0 begins at 0, the others at 1/2, 1/4, 3/4, 1/8, … of the range. The numbers of
/// a process's threads begin where its number among processes says.
struct spread {
    /// @return the position.
    /// @par Complexity two of the bitmap's `find_fit`
    /// @par Thread safety as the bitmap's; async-signal-safe where thread-local storage is static
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        if (q.from > q.limit)
            return std::nullopt;
        const std::size_t granules = q.limit - q.from;
        std::uint32_t number = thread_number();
        if constexpr (bitmap_is_shared_by_processes<Bitmap>)
            number += bitmap.self() - std::uint32_t{1};
        const auto start =
            static_cast<std::size_t>(upper_half(granules, std::uint64_t{reversed(number)} << 32));
        return detail::rotated_fit(bitmap, q, q.from + start);
    }

  private:
    /// @brief The bits of `value` in the opposite order.
    [[nodiscard]] static constexpr std::uint32_t reversed(std::uint32_t value) noexcept {
        value = ((value & 0x55555555U) << 1) | ((value >> 1) & 0x55555555U);
        value = ((value & 0x33333333U) << 2) | ((value >> 2) & 0x33333333U);
        value = ((value & 0x0f0f0f0fU) << 4) | ((value >> 4) & 0x0f0f0f0fU);
        value = ((value & 0x00ff00ffU) << 8) | ((value >> 8) & 0x00ff00ffU);
        return (value << 16) | (value >> 16);
    }
};

static_assert(concurrent_algorithm_for<spread, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
