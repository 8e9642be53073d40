// SPDX-License-Identifier: MIT
/// @file
/// @brief One given place in the chunk, or nothing.
///
/// When to choose it: registers, boot-time reservations, replay of a known layout. Not a general
/// algorithm: an empty pool still refuses what is asked for twice. Costs: looks at the asked
/// granules only; 8 bytes.
///
/// Source: the behaviour of gen_pool_fixed_alloc. The offset is relative to each chunk: in a pool
/// of several the first one, in the pool's order, that is free there serves.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places at one offset from the chunk's start.
class fixed {
  public:
    /// @param offset_bytes from the start of the chunk; a multiple of the granule, else the answer
    /// is always none.
    explicit constexpr fixed(std::uint64_t offset_bytes) noexcept : offset_bytes_(offset_bytes) {}

    /// @return the granule at the offset, where `q.count` granules are free and legal from there.
    /// @par Complexity O(count / 64)
    /// @par Thread safety as the bitmap's
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        placement only_there = q;
        if (offset_bytes_ % q.granule_bytes != 0 ||
            !only_there.pin(offset_bytes_ / q.granule_bytes))
            return std::nullopt;
        return bitmap.find_fit(only_there);
    }

  private:
    std::uint64_t offset_bytes_;
};

static_assert(concurrent_algorithm_for<fixed, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
