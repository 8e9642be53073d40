// SPDX-License-Identifier: MIT
/// @file
/// @brief One bit a granule, searched from the front.
///
/// Choose it for small chunks (a slab, a page of objects) and as the yardstick for the others.
/// Time: searches O(granules / 64); one granule with nothing free below the hint O(1). Memory: one
/// bit a granule and 16 bytes. Exclusive: one thread at a time. Source: the bitmap of Linux'
/// lib/genalloc, with a hint below which nothing is free.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/bits.hpp>
#include <palloc/core/placement.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

class flat {
  public:
    flat(std::byte* storage, std::size_t granules) noexcept
        : book_(reinterpret_cast<book*>(storage)), size_(granules) {}

    [[nodiscard]] static constexpr std::size_t storage_bytes(std::size_t granules) noexcept {
        return sizeof(book) + bits::words(granules) * sizeof(bits::word);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t free_count() const noexcept { return size_ - book_->used; }

    [[nodiscard]] bool test(std::size_t granule) const noexcept {
        return (words()[granule / bits::word_bits] >> (granule % bits::word_bits) & 1) != 0;
    }

    /// @par Complexity  O((limit - from) / 64 + runs rejected)
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        const std::size_t hint = book_->first_open_word * bits::word_bits;
        std::size_t at = q.from < hint ? hint : q.from;
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

    /// @par Complexity  O(run / 64), and the search for the next open word when the first one fills
    bool claim(granule_run run) noexcept {
        if (bits::find<true>(words(), run.first, run.last()) != run.last())
            return false;
        bits::set(words(), run);
        book_->used += run.count;
        move_hint();
        return true;
    }

    /// @par Complexity  as `find_fit`; O(1) for one granule anywhere
    [[gnu::always_inline]] inline std::optional<std::size_t>
    claim_lowest(const placement& q) noexcept {
        if (q.count == 1 && (q.mask | q.from) == 0) [[likely]]
            return claim_first_open(q.limit);
        const std::size_t found = claim_lowest_of_many(q);
        if (found == detail::nowhere) [[unlikely]]
            return std::nullopt;
        return found;
    }

    /// @par Complexity  O(run / 64)
    [[gnu::always_inline]] inline std::size_t release(granule_run run) noexcept {
        const std::size_t at = run.first / bits::word_bits;
        const bits::word mask = bits::low_mask(run.count) << (run.first % bits::word_bits);
        if (run.first % bits::word_bits + run.count > bits::word_bits ||
            (words()[at] & mask) != mask) [[unlikely]]
            return release_many(run);
        words()[at] &= ~mask;
        open(at, run.count);
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
    /// At the head of the storage; the words follow.
    struct book {
        std::size_t used = 0;
        std::size_t first_open_word = 0; ///< every word below it is full
    };

    [[nodiscard]] bits::word* words() noexcept { return reinterpret_cast<bits::word*>(book_ + 1); }
    [[nodiscard]] const bits::word* words() const noexcept {
        return reinterpret_cast<const bits::word*>(book_ + 1);
    }

    [[gnu::noinline]] std::size_t claim_lowest_of_many(const placement& q) noexcept {
        const std::optional<std::size_t> found = find_fit(q);
        if (!found)
            return detail::nowhere;
        claim({*found, q.count});
        return *found;
    }

    [[gnu::noinline]] std::size_t release_many(granule_run run) noexcept {
        const std::size_t already_free = run.count - bits::count(words(), run);
        if (already_free != 0)
            return already_free;
        bits::clear(words(), run);
        open(run.first / bits::word_bits, run.count);
        return 0;
    }

    void open(std::size_t word, std::size_t granules) noexcept {
        book_->used -= granules;
        if (word < book_->first_open_word)
            book_->first_open_word = word;
    }

    void move_hint() noexcept {
        std::size_t at = book_->first_open_word;
        for (const std::size_t end = bits::words(size_); at != end && ~words()[at] == 0;)
            ++at;
        book_->first_open_word = at;
    }

    [[gnu::always_inline]] inline std::optional<std::size_t>
    claim_first_open(std::size_t limit) noexcept {
        const std::size_t at = book_->first_open_word;
        if (at * bits::word_bits >= limit)
            return std::nullopt;
        bits::word& word = words()[at];
        const std::size_t found =
            at * bits::word_bits + static_cast<std::size_t>(std::countr_one(word));
        if (found >= limit)
            return std::nullopt;
        word |= word + 1; // sets the lowest clear bit
        ++book_->used;
        if (~word == 0) [[unlikely]]
            move_hint();
        return found;
    }

    book* book_;
    std::size_t size_;
};
static_assert(bitmap_claims_lowest<flat>);

} // namespace palloc::inline v0
