// SPDX-License-Identifier: MIT
/// @file
/// @brief Adds to any bitmap the knowledge of where blocks begin and end.
///
/// Choose it where a free must need no size, or where a wrong free must be told from a right one:
/// interior and misaligned addresses and wrong sizes are detected exactly.
/// Costs two bits a granule over the inner bitmap; a mark at either end of a claim and of a
/// release.
///
///     used   0 1 1 1 1 0 1 0     the inner bitmap
///     first  0 1 0 0 1 0 1 0     a block begins here
///     last   0 0 0 1 1 0 1 0     a block ends here
///
/// Both marks belong to the block, so that over a concurrent bitmap nobody else ever changes them,
/// and taking the first mark away decides which of two threads freed a block. Source: the used and
/// stop bits of asmjit's JitAllocator.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/bits.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/placement.hpp>

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @tparam Inner  the bitmap that tracks what is free; its refinements stay available.
template <chunk_bitmap Inner>
class boundary {
  public:
    boundary(std::byte* storage, std::size_t granules) noexcept
        : inner_(storage, granules),
          first_(reinterpret_cast<bits::word*>(storage + inner_bytes(granules))),
          last_(first_ + 1) {}

    [[nodiscard]] static constexpr std::size_t storage_bytes(std::size_t granules) noexcept {
        return inner_bytes(granules) + 2 * bits::words(granules) * sizeof(bits::word);
    }

    [[nodiscard]] std::size_t size() const noexcept { return inner_.size(); }
    [[nodiscard]] std::size_t free_count() const noexcept { return inner_.free_count(); }
    [[nodiscard]] bool test(std::size_t granule) const noexcept { return inner_.test(granule); }
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        return inner_.find_fit(q);
    }
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        return inner_.next_free_run(from);
    }
    [[nodiscard]] std::optional<std::size_t> find_best(const placement& q) const noexcept
        requires bitmap_finds_best<Inner>
    {
        return inner_.find_best(q);
    }
    [[nodiscard]] granule_run longest_free_run() const noexcept
        requires bitmap_knows_longest<Inner>
    {
        return inner_.longest_free_run();
    }

    static constexpr bool is_concurrent = concurrent_bitmap<Inner>;
    [[nodiscard]] std::optional<std::uint64_t> settled() const noexcept
        requires concurrent_bitmap<Inner>
    {
        return inner_.settled();
    }

    bool claim(granule_run run) noexcept {
        if (!inner_.claim(run))
            return false;
        mark(run);
        return true;
    }
    [[gnu::always_inline]] std::optional<std::size_t> claim_lowest(const placement& q) noexcept
        requires bitmap_claims_lowest<Inner>
    {
        const std::optional<std::size_t> found = inner_.claim_lowest(q);
        if (!found) [[unlikely]]
            return std::nullopt;
        const std::size_t place = *found; // an optional put together anew: a copy is waited for
        mark({place, q.count});
        return place;
    }

    /// @brief Gives a whole block back; anything else counts as free already, and nothing changes.
    std::size_t release(granule_run run) noexcept { return release_exactly(run) ? 0 : run.count; }

    /// @par Complexity  O(block / 64)
    [[nodiscard]] std::optional<granule_run> block_at(std::size_t granule) const noexcept {
        if (granule >= size() || !inner_.test(granule))
            return std::nullopt;
        const auto first = previous(first_, granule);
        if (!first)
            return std::nullopt;
        const std::size_t last = next(last_, *first);
        if (last < granule)
            return std::nullopt;
        return granule_run{*first, last + 1 - *first};
    }

    /// @par Complexity  O(block / 64)
    [[nodiscard]] bool is_block(granule_run run) const noexcept {
        return is_marked(first_, run.first) && next(last_, run.first) == run.last() - 1;
    }

    /// @par Complexity  O(block / 64) and the inner bitmap's release
    bool release_exactly(granule_run run) noexcept {
        if (!is_block(run)) [[unlikely]]
            return false;
        if constexpr (is_concurrent) { // by now it may be another one, of another length
            return release_block(run.first) == run.count;
        } else {
            take(first_, run.first);
            take(last_, run.last() - 1);
            inner_.release(run);
            return true;
        }
    }

    /// @par Complexity  O(block / 64) and the inner bitmap's release
    std::size_t release_block(std::size_t first) noexcept {
        if (first >= size() || !take(first_, first))
            return 0;
        const granule_run block{first, next(last_, first) + 1 - first};
        take(last_, block.last() - 1);
        inner_.release(block);
        return block.count;
    }

    /// @par Complexity  O(block / 64)
    bool abandon_block(std::size_t first) noexcept {
        if (first >= size() || !take(first_, first))
            return false;
        take(last_, next(last_, first));
        return true;
    }

    /// @par Complexity  O(change / 64) and the inner bitmap's claim or release
    bool resize(granule_run block, std::size_t granules) noexcept {
        const std::size_t end = block.first + granules;
        if (granules > block.count && !inner_.claim({block.last(), granules - block.count}))
            return false;
        take(last_, block.last() - 1);
        put(last_, end - 1);
        if (granules < block.count)
            inner_.release({end, block.count - granules});
        return true;
    }

    void reset() noexcept {
        for (bits::word* word = first_; word != first_ + 2 * bits::words(size()); ++word)
            if (*word != 0)
                *word = 0;
        inner_.reset();
    }

  private:
    [[nodiscard]] static constexpr std::size_t inner_bytes(std::size_t granules) noexcept {
        return align_up(Inner::storage_bytes(granules), sizeof(bits::word));
    }

    void mark(granule_run run) noexcept {
        put(last_, run.last() - 1);
        put(first_, run.first);
    }

    // A word of `first` and the word of `last` that goes with it lie side by side: who needs one of
    // them needs the other.
    //
    // Words of marks are shared between blocks, so over a concurrent bitmap they are atomic.

    [[nodiscard]] static bits::word load(bits::word* map, std::size_t at) noexcept {
        if constexpr (is_concurrent)
            return std::atomic_ref(map[2 * at]).load(std::memory_order_acquire);
        else
            return map[2 * at];
    }
    [[nodiscard]] static bool is_marked(bits::word* map, std::size_t bit) noexcept {
        return (load(map, bit / bits::word_bits) >> (bit % bits::word_bits) & 1U) != 0;
    }
    static void put(bits::word* map, std::size_t bit) noexcept {
        bits::word& word = map[2 * (bit / bits::word_bits)];
        const bits::word flag = bits::word{1} << (bit % bits::word_bits);
        if constexpr (is_concurrent)
            std::atomic_ref(word).fetch_or(flag);
        else
            word |= flag;
    }
    /// Clears a mark and answers whether it was there.
    static bool take(bits::word* map, std::size_t bit) noexcept {
        bits::word& word = map[2 * (bit / bits::word_bits)];
        const bits::word flag = bits::word{1} << (bit % bits::word_bits);
        if constexpr (is_concurrent) {
            return (std::atomic_ref(word).fetch_and(~flag) & flag) != 0;
        } else {
            const bool there = (word & flag) != 0;
            word &= ~flag;
            return there;
        }
    }

    /// The first mark at or after `bit`; the last granule where there is none.
    [[nodiscard]] std::size_t next(bits::word* map, std::size_t bit) const noexcept {
        std::size_t at = bit / bits::word_bits;
        bits::word found = load(map, at) & (~bits::word{0} << (bit % bits::word_bits));
        for (const std::size_t end = bits::words(size()); found == 0; found = load(map, at))
            if (++at == end)
                return size() - 1;
        return at * bits::word_bits + static_cast<std::size_t>(std::countr_zero(found));
    }
    /// The last mark at or before `bit`.
    [[nodiscard]] static std::optional<std::size_t> previous(bits::word* map,
                                                             std::size_t bit) noexcept {
        std::size_t at = bit / bits::word_bits;
        bits::word found = load(map, at) & bits::low_mask(bit % bits::word_bits + 1);
        for (; found == 0; found = load(map, at))
            if (at-- == 0)
                return std::nullopt;
        return at * bits::word_bits + 63 - static_cast<std::size_t>(std::countl_zero(found));
    }

    Inner inner_;
    bits::word* first_;
    bits::word* last_;
};

} // namespace palloc::inline v0
