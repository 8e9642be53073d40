// SPDX-License-Identifier: MIT
/// @file
/// @brief One bit a granule, and for each length of up to 64 granules where a search may begin.
///
/// Places exactly as a linear scan does. Choose it for chunks of up to some ten thousand granules
/// whose blocks are mostly shorter than 64: claims and releases cost what they cost over `flat`,
/// and what a search has passed over it does not look at again before something is released there.
///
/// Time, n granules: O(1) for release; O(n / 64) for a search at worst, which 64 searches of one
/// pool's life share unless releases come between them; O(1) where there is known to be no room.
/// Memory: a bit a granule and 272 bytes.
/// @par Thread safety  None.
#pragma once

#include <palloc/concepts/archetypes.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/bits.hpp>
#include <palloc/core/placement.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @brief A flat bitmap with hints that are always true: no free run of n granules or more begins
/// below the hint for n. Hints rise with n.
class hinted {
  public:
    hinted(std::byte* storage, std::size_t granules) noexcept
        : book_(reinterpret_cast<book*>(storage)), size_(granules) {}

    [[nodiscard]] static constexpr std::size_t storage_bytes(std::size_t granules) noexcept {
        return sizeof(book) + bits::words(granules) * sizeof(bits::word);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t free_count() const noexcept { return size_ - book_->used; }
    [[nodiscard]] bool test(std::size_t granule) const noexcept {
        return (words()[granule / bits::word_bits] >> (granule % bits::word_bits) & 1U) != 0;
    }

    /// @par Complexity  O(granules / 64) from the hint on
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        std::size_t at = std::max<std::size_t>(q.from, hint(q.count));
        if (q.mask == 0 && q.count <= longest_hinted)
            return first_short(at, q);
        while (true) {
            at = q.align_up(bits::find<false>(words(), at, q.limit));
            if (at > q.limit || q.count > q.limit - at)
                return std::nullopt;
            const std::size_t end = at + q.count;
            const std::size_t busy = bits::find<true>(words(), at, end);
            if (busy == end)
                return at;
            at = busy + 1;
        }
    }

    /// @par Complexity  O(granules / 64)
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        const std::size_t first = bits::find<false>(words(), from, size_);
        return {first, bits::find<true>(words(), first, size_) - first};
    }

    /// @par Complexity  O(run / 64)
    bool claim(granule_run run) noexcept {
        if (bits::find<true>(words(), run.first, run.last()) != run.last())
            return false;
        set(run);
        return true;
    }

    /// @par Complexity  as `find_fit`; O(run / 64) as long as all that is in use lies in one piece
    /// at the front
    [[gnu::always_inline]] std::optional<std::size_t> claim_lowest(const placement& q) noexcept {
        const std::size_t open = book_->open;
        if (book_->used != open || q.mask != 0 || q.from > open) {
            const std::size_t found = claim_searching(q);
            if (found == detail::nowhere) [[unlikely]]
                return std::nullopt;
            return found;
        }
        if (open > q.limit || q.count > q.limit - open) [[unlikely]]
            return std::nullopt;
        set({open, q.count});
        book_->open = open + q.count;
        return open;
    }

    /// @par Complexity  O(run / 64)
    std::size_t release(granule_run run) noexcept {
        if (!all_used(run)) [[unlikely]]
            return run.count - bits::count(words(), run);
        bits::clear(words(), run);
        book_->used -= run.count;
        lower_hints(run.first);
        return 0;
    }

    /// @par Complexity  O(granules / 64); untouched storage stays untouched
    void reset() noexcept {
        for (std::size_t at = 0; at != bits::words(size_); ++at)
            if (words()[at] != 0)
                words()[at] = 0;
        *book_ = {};
    }

  private:
    static constexpr std::size_t longest_hinted = 64;

    /// At the head of the storage; the words follow. The hints are stored longest first, in the
    /// cache line of `used`: most calls look at those two.
    struct book {
        std::size_t used = 0;
        std::size_t open = 0; ///< no granule below it is free
        std::uint32_t hints[longest_hinted] = {};
    };

    [[nodiscard]] bits::word* words() const noexcept {
        return reinterpret_cast<bits::word*>(book_ + 1);
    }
    [[nodiscard]] std::uint32_t& hint_at(std::size_t count) const noexcept {
        return book_->hints[longest_hinted - count];
    }
    [[nodiscard]] std::size_t hint(std::size_t count) const noexcept {
        return std::max<std::size_t>(book_->open, hint_at(std::min(count, longest_hinted)));
    }

    [[nodiscard]] bool all_used(granule_run run) const noexcept {
        return bits::each_word(
            run, [this](std::size_t at, bits::word mask) { return (~words()[at] & mask) == 0; });
    }

    [[gnu::noinline]] std::size_t claim_searching(const placement& q) noexcept {
        const std::size_t start = hint(q.count);
        const std::optional<std::size_t> found = find_fit(q);
        const bool all_searched = q.mask == 0 && q.from <= start;
        if (!found) {
            if (all_searched && q.limit == size_)
                raise_hints(q.count, size_);
            return detail::nowhere;
        }
        set({*found, q.count});
        if (*found == book_->open)
            book_->open += q.count;
        else if (all_searched && *found != start)
            raise_hints(q.count, *found + q.count);
        return *found;
    }

    void set(granule_run run) noexcept {
        bits::set(words(), run);
        book_->used += run.count;
    }

    /// No run of `count` or more begins below `place`.
    void raise_hints(std::size_t count, std::size_t place) noexcept {
        const auto at = static_cast<std::uint32_t>(std::min<std::size_t>(place, ~std::uint32_t{0}));
        for (; count <= longest_hinted && hint_at(count) < at; ++count)
            hint_at(count) = at;
    }

    /// A run that contains `place` has grown. What begins more than 64 granules before was long
    /// enough for every hint already.
    void lower_hints(std::size_t place) noexcept {
        if (place < book_->open)
            book_->open = place;
        if (hint_at(longest_hinted) == 0)
            return;
        std::size_t first = place;
        while (first != 0 && place - first < longest_hinted && !test(first - 1))
            first -= run_before(first);
        for (std::size_t count = longest_hinted; count != 0 && hint_at(count) > first; --count)
            hint_at(count) = static_cast<std::uint32_t>(first);
    }
    /// How many free granules lie directly before `first`, in its word.
    [[nodiscard]] std::size_t run_before(std::size_t first) const noexcept {
        const std::size_t last = first - 1;
        const std::size_t bit = last % bits::word_bits;
        const bits::word before = words()[last / bits::word_bits] << (bits::word_bits - 1 - bit);
        return std::min<std::size_t>(static_cast<std::size_t>(std::countl_zero(before)), bit + 1);
    }

    /// The lowest place for at most 64 granules: all places of a word are tried at once.
    [[nodiscard]] std::optional<std::size_t> first_short(std::size_t from,
                                                         const placement& q) const noexcept {
        if (q.count > q.limit || from > q.limit - q.count)
            return std::nullopt;
        const std::size_t highest = q.limit - q.count;
        const std::size_t end = bits::words(q.limit);
        std::size_t at = from / bits::word_bits;
        bits::word here = ~words()[at] & (~bits::word{0} << (from % bits::word_bits));
        while (true) {
            const bits::word next = at + 1 < end ? ~words()[at + 1] : 0;
            if (here != 0)
                if (const bits::word starts = starts_of(here, next, q.count); starts != 0) {
                    const std::size_t found =
                        at * bits::word_bits + static_cast<std::size_t>(std::countr_zero(starts));
                    return found <= highest ? std::optional(found) : std::nullopt;
                }
            if (++at >= end)
                return std::nullopt;
            here = next;
        }
    }
    /// The bits of `low` at which `count` set bits begin.
    [[nodiscard]] static bits::word starts_of(bits::word low, bits::word high,
                                              std::size_t count) noexcept {
        std::size_t done = 1;
        while (done < count && low != 0) {
            const std::size_t step = std::min(done, count - done);
            const bool whole = step == bits::word_bits;
            low &= whole ? high : (low >> step) | (high << (bits::word_bits - step));
            high &= whole ? 0 : high >> step;
            done += step;
        }
        return low;
    }

    book* book_;
    std::size_t size_;
};
static_assert(chunk_bitmap<hinted> && bitmap_claims_lowest<hinted>);

} // namespace palloc::inline v0
