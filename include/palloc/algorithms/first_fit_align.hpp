// SPDX-License-Identifier: MIT
/// @file
/// @brief The kernel's aligned first fit, to the bit: its rounding, its blind spots, its odd cases.
///
/// When to choose it: genalloc and its golden traces. For an alignment that is always true to the
/// address ask the pool for one with any other algorithm. Costs: one `find_fit` where the alignment
/// is a power of two of granules, else a walk; 8 bytes.
///
/// With g the granule, the alignment is applied as mask = ceil(alignment / g) - 1 to
/// position + (base & (alignment - 1)) / g. So an alignment up to g asks for nothing, what of the
/// base is smaller than a granule is ignored, and an alignment that is no power of two gives
/// positions that are aligned to nothing (g = 64, alignment 192: 0, 1, 4, 5, 8, …).
///
/// Source: the behaviour of gen_pool_first_fit_align. One deviation: alignment 0 on a busy chunk,
/// where the kernel searches for ever, answers none.
#pragma once

#include <palloc/algorithms/detail/joint_alignment.hpp>
#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places at the lowest free position that the kernel calls aligned.
class first_fit_align {
  public:
    /// @param alignment in bytes; any value, negative ones and 0 included.
    explicit constexpr first_fit_align(std::int64_t alignment) noexcept
        : alignment_(static_cast<std::uint64_t>(alignment)) {}

    /// @brief The alignment in bytes, whether it makes sense or not.
    [[nodiscard]] constexpr std::uint64_t alignment() const noexcept { return alignment_; }

    /// @return the position.
    /// @par Complexity one `find_fit` where ceil(alignment / granule) is a power of two, else
    /// O(granules / 64 + rejected positions)
    /// @par Thread safety as the bitmap's
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        // Sums and differences wrap, as the kernel's do.
        const std::uint64_t mask = (alignment_ + (q.granule_bytes - 1)) / q.granule_bytes - 1;
        const std::uint64_t phase = (q.base & (alignment_ - 1)) / q.granule_bytes;
        if (!std::has_single_bit(mask + 1))
            return walk(bitmap, q, mask, phase);
        const auto aligned = detail::joint_alignment(q, mask, phase);
        return aligned ? bitmap.find_fit(*aligned) : std::nullopt;
    }

  private:
    /// @brief The kernel's search: round up the next free position, look there, go on behind what
    /// was in the way.
    template <chunk_bitmap Bitmap>
    [[nodiscard]] static std::optional<std::size_t> walk(const Bitmap& bitmap, const placement& q,
                                                         std::uint64_t mask,
                                                         std::uint64_t phase) noexcept {
        for (std::size_t start = q.from;;) {
            const granule_run next = bitmap.next_free_run(start);
            if (next.count == 0)
                return std::nullopt;
            const std::uint64_t rounded = ((next.first + phase + mask) & ~mask) - phase;
            if (rounded > q.limit || q.count > q.limit - rounded)
                return std::nullopt;
            const auto position = static_cast<std::size_t>(rounded);
            const granule_run here = bitmap.next_free_run(position);
            const bool begins_free = here.count != 0 && here.first == position;
            if (begins_free && here.count >= q.count) {
                if (q.legal(position))
                    return position;
            }
            const std::size_t busy = begins_free && here.count < q.count ? here.last() : position;
            if (busy < start) // rounding wrapped: from here the kernel only ever repeats itself
                return std::nullopt;
            start = busy + 1;
        }
    }

    std::uint64_t alignment_;
};

static_assert(concurrent_algorithm_for<first_fit_align, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
