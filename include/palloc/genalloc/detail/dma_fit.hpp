// SPDX-License-Identifier: MIT
/// @file
/// @brief An algorithm among the places that a device can reach.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/wide.hpp>
#include <palloc/genalloc/options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0::detail {

/// @brief Asks another algorithm, only for chunks that have a physical address, and only for places
/// within the limits. Where blocks may not cross a boundary, the lowest stretch between two
/// boundaries for which the other algorithm has an answer serves.
/// @tparam Inner  const where it may be asked by several threads at once
template <class Pool, class Inner>
class dma_fit {
  public:
    dma_fit(const Pool& pool, Inner& inner, const dma_limits& limits) noexcept
        : pool_(pool), inner_(inner), limits_(limits) {}

    /// @par Complexity  the other algorithm's; with a boundary that, and one `find_fit`, for each
    /// stretch that has room but no answer
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap, placement q) const {
        const auto* const chunk = pool_.find(q.base);
        if (chunk == nullptr || &chunk->map != &bitmap) // hidden by one that overlaps it
            return std::nullopt;
        const auto physical = pool_.backing().physical(chunk->source, q.base);
        if (!physical || *physical > limits_.mask)
            return std::nullopt;
        const std::uint64_t reachable = limits_.mask - *physical + 1; // 0: 2^64
        if (reachable != 0)
            q.limit = std::min(q.limit, saturated_size(reachable / q.granule_bytes));
        if (limits_.boundary == 0)
            return inner_(bitmap, q);
        return between_boundaries(bitmap, q, *physical);
    }

  private:
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> between_boundaries(const Bitmap& bitmap, placement q,
                                                                address physical) const {
        if (q.count > limits_.boundary / q.granule_bytes)
            return std::nullopt;
        while (const auto lowest = bitmap.find_fit(q)) {
            const std::uint64_t passed =
                (physical + *lowest * q.granule_bytes) & (limits_.boundary - 1);
            const std::uint64_t left = limits_.boundary - passed;
            placement stretch = q;
            stretch.from = *lowest;
            stretch.limit = std::min(q.limit, saturated_size(*lowest + left / q.granule_bytes));
            if (q.count <= stretch.limit - stretch.from)
                if (const std::optional<std::size_t> found = inner_(bitmap, stretch))
                    return found;
            q.from = saturated_size(*lowest + (left - 1) / q.granule_bytes + 1);
            if (q.from >= q.limit)
                break;
        }
        return std::nullopt;
    }

    const Pool& pool_;
    Inner& inner_;
    const dma_limits& limits_;
};

} // namespace palloc::inline v0::detail
