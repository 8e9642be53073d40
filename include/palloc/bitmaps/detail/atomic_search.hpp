// SPDX-License-Identifier: MIT
/// @file
/// @brief How a bitmap that threads share is searched: the words tell what is free, the summary
/// where to look.
///
/// Places as a linear scan does, that looks at each word at a moment of its own. Searching may
/// correct the summary. `Word::load()` answers which of 64 granules are in use.
#pragma once

#include <palloc/bitmaps/detail/atomic_bits.hpp>
#include <palloc/bitmaps/detail/atomic_summary.hpp>
#include <palloc/core/bits.hpp>
#include <palloc/core/placement.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>

namespace palloc::inline v0::detail {

/// @tparam Atomic  `std::atomic`; a test's own can come between any two accesses.
template <template <class> class Atomic, class Word>
class atomic_search {
  public:
    using summary = atomic_summary<Atomic>;

    static constexpr std::size_t leaf_granules = summary::leaf_granules;

    [[nodiscard]] static constexpr std::size_t leaves(std::size_t n) noexcept {
        return n / leaf_granules + (n % leaf_granules != 0);
    }

    atomic_search(typename summary::node* nodes, Word* words, std::size_t n) noexcept
        : summary_(nodes, leaves(n)), words_(words), size_(n) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Word* words() const noexcept { return words_; }

    /// @brief The lowest free legal position.
    /// @par Complexity  O(log n); aligned, or for more than 512 granules: O(log n + leaves of 512
    /// granules where a run begins that is long enough for the summary but holds no legal position)
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        if (q.count > q.limit)
            return std::nullopt;
        const std::size_t wanted = std::min(q.count, leaf_granules);
        for (std::size_t at = q.from; at <= q.limit - q.count;) {
            const std::size_t leaf = summary_.first_from(at / leaf_granules, wanted);
            if (leaf == summary::none)
                return std::nullopt;
            const std::size_t begin = std::max(at, leaf * leaf_granules);
            const view seen = look(q, begin, (leaf + 1) * leaf_granules);
            if (seen.fits)
                return seen.place;
            if (begin % leaf_granules == 0)
                summary_.lower(leaf, seen.longest, [&] { return longest_from(leaf); });
            at = seen.place;
        }
        return std::nullopt;
    }

    /// @brief The next free run from `from` on; empty only behind the last.
    /// @par Complexity  O(log n + run / 64), again each time that what is found is taken meanwhile
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        while (true) {
            const std::size_t first = find_fit({.from = from, .limit = size_}).value_or(size_);
            const std::size_t end = atomic_bits::find<true>(words_, first, size_);
            if (end != first || first == size_)
                return {first, end - first};
            from = first;
        }
    }

    /// @brief Tells the summary of a run that has been cleared.
    /// @par Complexity  O(run / 512 log n)
    void tell_of_room(granule_run run) const noexcept {
        const std::size_t first = atomic_bits::clear_from(
            words_, run.first - std::min(run.first, leaf_granules), run.first);
        const std::size_t last = atomic_bits::find<true>(
            words_, run.last(), std::min(size_, run.last() + leaf_granules));
        for (std::size_t at = first; at < run.last();) {
            const std::size_t leaf = at / leaf_granules;
            summary_.raise(leaf, std::min(leaf_granules, last - at));
            at = (leaf + 1) * leaf_granules;
        }
    }

    /// @brief Tells it of all the room that there is.
    /// @par Complexity  O(n / 64 + n / 512 log n)
    void tell_of_all_room() const noexcept {
        for (std::size_t leaf = 0; leaf != leaves(size_); ++leaf)
            summary_.raise(leaf, longest_from(leaf));
    }

    /// @brief Everything is free. Alone.
    void reset() const noexcept { summary_.reset(); }

  private:
    struct view {
        bool fits;
        std::size_t place;   ///< the lowest that fits; if none does, where to look further
        std::size_t longest; ///< of the free runs, if none fits
    };

    /// Looks for a fit that begins in [at, end).
    [[nodiscard]] view look(const placement& q, std::size_t at, std::size_t end) const noexcept {
        std::size_t longest = 0;
        end = std::min(end, size_);
        for (std::size_t first; (first = atomic_bits::find<false>(words_, at, end)) < end;) {
            const std::size_t enough = std::min(size_, q.align_up(first) + q.count);
            at = atomic_bits::find<true>(words_, first, enough);
            const std::size_t place = q.first_legal_in({first, at - first});
            if (place != q.limit)
                return {true, place, 0};
            longest = std::max(longest, at - first);
        }
        return {false, std::max(at, end), longest};
    }

    /// The longest run of free granules that begins in the leaf, as the summary counts it.
    [[nodiscard]] std::size_t longest_from(std::size_t leaf) const noexcept {
        const std::size_t begin = leaf * leaf_granules;
        const view seen =
            look({.count = leaf_granules, .limit = size_}, begin, begin + leaf_granules);
        return seen.fits ? leaf_granules : seen.longest;
    }

    summary summary_;
    Word* words_;
    std::size_t size_;
};

} // namespace palloc::inline v0::detail
