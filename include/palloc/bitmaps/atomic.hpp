// SPDX-License-Identifier: MIT
/// @file
/// @brief One bit a granule, shared by any number of threads and signal handlers without a lock.
///
/// Choose it for pools that threads share, or that signal handlers allocate from. A thread that
/// stops anywhere, even for ever, keeps from the others only the granules that it has claimed so
/// far. Places as a linear scan does; over several threads, as one that looks at each word at a
/// moment of its own.
///
/// A claim takes its words downwards and gives them back if it meets a granule in use; a release
/// clears its words upwards. So what is free of a block half made or half given back is its lower
/// part, which lengthens no free run above it, and of claims that overlap the lowest wins. What
/// searches skip is told in `detail/atomic_summary.hpp`.
///
/// Time, n granules: O(log n) for claim, release and every search that asks for no alignment, but
/// for searches of more than 512 granules, which look at all runs of 512 before the one they find.
/// Memory: 0.15 bytes a granule, and 64 bytes for each 512 granules up to 1 KiB.
/// @par Thread safety  Everything but `reset`, at once and async-signal-safe.
/// @par Source  The claim by compare-and-swap, word by word, is that of Linux' lib/genalloc.
#pragma once

#include <palloc/bitmaps/detail/atomic_bits.hpp>
#include <palloc/bitmaps/detail/atomic_search.hpp>
#include <palloc/bitmaps/detail/atomic_tallies.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/bits.hpp>
#include <palloc/core/placement.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @tparam Atomic  `std::atomic`; a test's own can come between any two accesses.
template <template <class> class Atomic>
class basic_atomic {
    using tallies = detail::atomic_tallies<Atomic>;
    using word = Atomic<bits::word>;
    using search = detail::atomic_search<Atomic, word>;
    using summary = typename search::summary;

  public:
    static constexpr bool is_concurrent = true;

    /// @brief A view of n granules: the map that the storage holds; zeroed, it is all free. O(1).
    basic_atomic(std::byte* storage, std::size_t n) noexcept
        : tallies_(storage, search::leaves(n)),
          search_(reinterpret_cast<word*>(storage + tally_bytes(n)),
                  reinterpret_cast<word*>(storage + tally_bytes(n)) +
                      summary::nodes(search::leaves(n)),
                  n) {}

    /// @brief Storage for n granules, in bytes.
    [[nodiscard]] static constexpr std::size_t storage_bytes(std::size_t n) noexcept {
        return tally_bytes(n) + (summary::nodes(search::leaves(n)) + bits::words(n)) * sizeof(word);
    }

    [[nodiscard]] std::size_t size() const noexcept { return search_.size(); }

    /// @brief Exact at rest. What is just being claimed or given back counts as free.
    [[nodiscard]] std::size_t free_count() const noexcept {
        const std::int64_t used = std::max<std::int64_t>(tallies_.used(), 0);
        return size() - std::min(size(), static_cast<std::size_t>(used));
    }

    /// @brief Give-backs so far, those of failed claims of several words among them; empty during a
    /// claim of several words, as others see it although it may fail. A release in progress is not
    /// shown: what it has cleared may be taken as not yet given back.
    [[nodiscard]] std::optional<std::uint64_t> settled() const noexcept {
        return tallies_.settled();
    }

    [[nodiscard]] bool test(std::size_t granule) const noexcept {
        return (words()[granule / bits::word_bits].load() >> (granule % bits::word_bits) & 1) != 0;
    }

    /// @brief The lowest free legal position. May correct the summary.
    /// @par Complexity  O(log n); aligned, or for more than 512 granules: O(log n + leaves of 512
    /// granules where a run begins that is long enough for the summary but holds no legal position)
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        return search_.find_fit(q);
    }

    /// @par Complexity  O(log n + run / 64)
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        return search_.next_free_run(from);
    }

    /// @par Complexity  O(run / 64)
    bool claim(granule_run run) noexcept { return claim(run, false); }

    /// @brief Claims what `find_fit` finds, and searches again where somebody was faster.
    /// @par Complexity  as `find_fit`, for each time that another thread got further
    std::optional<std::size_t> claim_lowest(const placement& q) noexcept {
        while (const auto found = find_fit(q)) {
            const bool after_used = q.mask == 0 && *found > q.from;
            if (claim({*found, q.count}, after_used))
                return found;
        }
        return std::nullopt;
    }

    /// @brief Gives the granules back that are in use; answers how many were not.
    /// @par Complexity  O(run / 64 + run / 512 log n)
    std::size_t release(granule_run run) noexcept {
        auto& tally = tallies_.of(run.first / leaf_granules);
        tally.used.fetch_sub(static_cast<std::int64_t>(run.count));
        const std::size_t already_free = give_back(run);
        if (already_free != 0) [[unlikely]]
            tally.used.fetch_add(static_cast<std::int64_t>(already_free));
        tally.changes.fetch_add(tallies::give_back);
        return already_free;
    }

    /// @brief All free again. Alone.
    /// @par Complexity  O(n / 64); untouched storage stays untouched
    void reset() noexcept {
        for (std::size_t at = 0; at != bits::words(size()); ++at)
            if (words()[at].load() != 0)
                words()[at].store(0);
        search_.reset();
        tallies_.reset();
    }

  private:
    static constexpr std::size_t leaf_granules = search::leaf_granules;

    [[nodiscard]] word* words() const noexcept { return search_.words(); }
    [[nodiscard]] static constexpr std::size_t tally_bytes(std::size_t n) noexcept {
        return tallies::count(search::leaves(n)) * sizeof(typename tallies::tally);
    }
    [[nodiscard]] static constexpr bool in_one_word(granule_run run) noexcept {
        return run.first % bits::word_bits + run.count <= bits::word_bits;
    }

    /// With `after_used`, a run of several words is also left alone where the granule before it is
    /// free: then the search saw the two at different moments, and may have missed a lower place.
    /// Looked at once before, so that others hardly ever see a claim that is not to last.
    bool claim(granule_run run, bool after_used) noexcept {
        auto& tally = tallies_.of(run.first / leaf_granules);
        if (in_one_word(run)) {
            const bits::word mask = bits::low_mask(run.count) << run.first % bits::word_bits;
            if (!detail::atomic_bits::take(words()[run.first / bits::word_bits], mask))
                return false;
            tally.used.fetch_add(static_cast<std::int64_t>(run.count));
            return true;
        }
        if (after_used && !test(run.first - 1))
            return false;
        tally.changes.fetch_add(tallies::half_done);
        const std::size_t taken = detail::atomic_bits::take_down(words(), run);
        const bool is_ours = taken == run.first && (!after_used || test(run.first - 1));
        if (is_ours) {
            tally.used.fetch_add(static_cast<std::int64_t>(run.count));
        } else if (taken != run.last()) {
            give_back({taken, run.last() - taken});
            tally.changes.fetch_add(tallies::give_back);
        }
        tally.changes.fetch_sub(tallies::half_done);
        return is_ours;
    }

    /// Clears the words and tells the summary; answers how many granules were free already.
    std::size_t give_back(granule_run run) noexcept {
        const std::size_t already_free = detail::atomic_bits::clear(words(), run);
        search_.tell_of_room(run);
        return already_free;
    }

    tallies tallies_;
    search search_;
};

/// @brief The atomic bitmap as it is used.
using atomic = basic_atomic<std::atomic>;
static_assert(concurrent_bitmap<atomic> && bitmap_claims_lowest<atomic>);

} // namespace palloc::inline v0
