// SPDX-License-Identifier: MIT
/// @file
/// @brief One bit a granule and an index of the free runs: every search is logarithmic.
///
/// Places exactly as a linear scan does. Choose it for chunks of more than a few hundred granules
/// that one thread at a time searches; below that, a scan is as fast and smaller.
///
/// Zeroed storage is a chunk that is all free; the constructor neither reads nor writes it, and
/// what was never allocated is never touched. `release` detects every granule that is free already.
///
/// Time, n granules: O(log n) for claim, release and every search that asks for no alignment, but
/// for best fit within a part of the chunk (`find_best`).
/// Memory: 0.54 bytes a granule; 0.4 of them are only touched where runs of 64 granules begin.
/// @par Thread safety  None.
/// @par Source  The masks of lengths are those of Masmano et al., TLSF, ECRTS 2004, made exact and
/// kept by address; the rest is told in `detail/run_index.hpp`.
#pragma once

#include <palloc/bitmaps/detail/run_index.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

namespace detail {

struct no_steps {
    static constexpr void take() noexcept {}
};

} // namespace detail

/// @brief `Steps::take()` is called for each line of the index that is looked at.
template <class Steps = detail::no_steps>
class basic_indexed {
    using index = detail::run_index<Steps>;

  public:
    /// @brief Storage for n granules, in bytes.
    [[nodiscard]] static constexpr std::size_t storage_bytes(std::size_t n) noexcept {
        return index::storage_bytes(n);
    }

    /// @brief A view of n granules: the map that the storage holds; zeroed, it is all free. O(1).
    basic_indexed(std::byte* storage, std::size_t n) noexcept : runs_(storage, n) {}

    [[nodiscard]] std::size_t size() const noexcept { return runs_.size(); }
    [[nodiscard]] std::size_t free_count() const noexcept { return size() - runs_.used(); }
    [[nodiscard]] bool test(std::size_t i) const noexcept { return runs_.busy(i); }

    /// @brief The lowest free legal position.
    /// @par Complexity  O(log n), O(1) where no run is long enough. Aligned: O((a + 1) log n), a
    /// the number of runs of `count` to `count + mask - 1` granules, of aligned positions, or, for
    /// `count` <= 64, of leaves of 512 granules, whichever is least.
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        if (q.count > q.limit)
            return std::nullopt;
        const std::size_t highest = q.limit - q.count;
        std::size_t p = q.align_up(q.from);
        while (p <= highest) {
            const std::size_t found = runs_.lowest(p, q.count);
            if (found > highest)
                break;
            p = q.align_up(found);
            if (p == found)
                return p;
            if (q.count <= index::long_granules) {
                p = runs_.lowest_in_leaf(found, q.count, legal_in_word(q));
                if (p <= highest)
                    return p;
                if (p == index::none)
                    p = q.align_up(index::leaf_end(found));
            }
        }
        return std::nullopt;
    }

    /// @brief The first legal position of the shortest free run, as far as it lies in
    /// [from, limit), that has one; the lowest of equals.
    /// @par Complexity  O(log n) for the whole chunk. Inside it O((64 + r) log n), r the runs of at
    /// least 64 and `count` granules there. Aligned: O(log n) more for each run of `count` to
    /// `count + mask - 1` granules.
    [[nodiscard]] std::optional<std::size_t> find_best(const placement& q) const noexcept {
        if (q.count > q.limit || q.from > q.limit - q.count)
            return std::nullopt;
        std::size_t first = q.from;
        std::size_t last = q.limit;
        candidate best(q);
        if (first != 0 && !test(first - 1) && !test(first)) { // a run that `from` cuts
            first = std::min(last, runs_.around(first).last());
            best.offer({q.from, first - q.from});
        }
        if (first != last && !test(last - 1) && !test(last)) { // one that `limit` cuts, or the tail
            last = runs_.first_of(last - 1);
            best.offer({last, q.limit - last});
        }
        if (first != last && !shortest_of_short(first, last, best))
            shortest_of_long(first, last, best);
        return best.place();
    }

    /// @brief What of the first free run at or after i is left from i on; count 0: none. O(log n).
    /// @pre  i <= size().
    [[nodiscard]] granule_run next_free_run(std::size_t i) const noexcept {
        const std::size_t first = runs_.lowest(i, 1);
        if (first == index::none)
            return {size(), 0};
        return {first, runs_.around(first).last() - first};
    }

    /// @brief The longest free run, the lowest of equals; count 0 when full. O(log n).
    [[nodiscard]] granule_run longest_free_run() const noexcept {
        const std::size_t count = runs_.longest();
        return count == 0 ? granule_run{} : granule_run{runs_.lowest(0, count), count};
    }

    /// @brief Takes all of the run, or nothing. O(log n + run / 64).
    bool claim(granule_run run) noexcept { return runs_.claim(run); }

    /// @brief Gives the run back. O(log n + run / 64).
    /// @return How many of its granules were free; unless 0, nothing has changed.
    std::size_t release(granule_run run) noexcept { return runs_.release(run); }

    /// @brief All free again. O(n), but for what was never allocated.
    void reset() noexcept { runs_.reset(); }

    /// @brief Whether the index tells of the bits what a scan of them does. O(n log n), for tests.
    [[nodiscard]] bool consistent() const noexcept { return runs_.consistent(); }

  private:
    /// The legal positions of one word, whatever the limits.
    class legal_in_word {
      public:
        explicit legal_in_word(const placement& q) noexcept
            : q_(q), repeated_(all / (q.mask < 63 ? (std::uint64_t{2} << q.mask) - 1 : all)) {}

        std::uint64_t operator()(std::size_t word) const noexcept {
            const std::size_t first = q_.align_up(word * 64) - word * 64;
            return first < 64 ? repeated_ << first : 0;
        }

      private:
        static constexpr std::uint64_t all = ~std::uint64_t{0};
        const placement& q_;
        std::uint64_t repeated_;
    };

    /// The shortest run so far that has a legal position.
    class candidate {
      public:
        explicit candidate(const placement& question) noexcept : q(question) {}

        bool offer(granule_run run) noexcept {
            const std::size_t place = q.first_legal_in(run);
            if (place == q.limit)
                return false;
            if (run.count < count || (run.count == count && place < place_)) {
                count = run.count;
                place_ = place;
            }
            return true;
        }

        [[nodiscard]] std::optional<std::size_t> place() const noexcept {
            return count == index::none ? std::nullopt : std::optional(place_);
        }

        const placement& q;
        std::size_t count = index::none;

      private:
        std::size_t place_ = 0;
    };

    /// Offers the first of the shortest runs inside [first, last) that will do, if it is not long.
    bool shortest_of_short(std::size_t first, std::size_t last, candidate& best) const noexcept {
        const placement& q = best.q;
        if (q.count >= index::long_granules)
            return false;
        std::uint64_t lengths = runs_.lengths() >> (q.count - 1) << q.count >> 1; // without bit 63
        for (; lengths != 0; lengths &= lengths - 1) {
            const auto length = static_cast<std::size_t>(std::countr_zero(lengths)) + 1;
            if (length > best.count)
                return true;
            for (std::size_t p = first; p < last;) {
                const std::size_t run = runs_.next_exact(p, length);
                if (run >= last)
                    break;
                if (best.offer({run, length}))
                    return true;
                p = q.align_up(run) -
                    (length - q.count); // no earlier run reaches the next position
            }
        }
        return false;
    }

    /// The same for the long ones.
    void shortest_of_long(std::size_t first, std::size_t last, candidate& best) const noexcept {
        const placement& q = best.q;
        const std::size_t least = std::max(q.count, index::long_granules);
        if (q.from == 0 && q.limit == size()) {
            granule_run run = runs_.next_long(0, least);
            while (run.count != 0 && !best.offer(run))
                run = runs_.next_long(run.first + 64, run.count);
            return;
        }
        for (std::size_t p = runs_.lowest(first, least); p < last;) {
            const granule_run run = runs_.around(p);
            best.offer(run);
            p = runs_.lowest(run.last(), least);
        }
    }

    index runs_;
};

/// @brief The indexed bitmap as it is used.
using indexed = basic_indexed<>;

static_assert(bitmap_finds_best<indexed> && bitmap_knows_longest<indexed>);

} // namespace palloc::inline v0
