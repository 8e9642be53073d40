// SPDX-License-Identifier: MIT
/// @file
/// @brief A byte a granule that says which process claimed it: a bitmap that several processes
/// share, and that outlives the death of any of them.
///
/// Choose it for pools in memory that processes share. A process that is killed at any instruction
/// keeps from the others only what it has claimed so far, and `reclaim` finds that by its number:
/// granules in use say whose they are in the very word that a claim changes, so that there is no
/// moment at which a granule is taken and nobody's.
///
///     storage  [ this process's number, private ][ a line a claimant ][ summary ][ bytes ]
///
/// A granule is free, a claimant's, or *kept*: it belongs to the map, and outlives everybody. What
/// is kept is anybody's to release. What is another claimant's is not: that counts as free already,
/// and stays. A move between a claimant and the map that takes more than one word is recorded in
/// the claimant's line while it lasts; `reclaim` then counts the run as the claimant's.
///
/// Places as `atomic` does, and the summary is the same.
///
/// Time, n granules: that of `atomic`, a compare-and-swap for each 8 granules, and O(n / 8) for
/// `free_count`: no counter could be kept right through a death. Memory: 1.03 bytes a granule and
/// 8 KiB; and 64 KiB of addresses, of which a page is touched.
/// @par Thread safety  Everything but `reset`, at once; async-signal-safe but for moves.
#pragma once

#include <palloc/bitmaps/detail/atomic_search.hpp>
#include <palloc/bitmaps/detail/owner_line.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/placement.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @tparam Atomic  `std::atomic`; a test's own can come between any two accesses.
template <template <class> class Atomic>
class basic_claimed {
    using line = detail::owner_line<Atomic>;
    using search = detail::atomic_search<Atomic, line>;

  public:
    static constexpr bool is_concurrent = true;
    static constexpr bool is_shared_by_processes = true;

    /// @brief Who may claim: numbers 1 to `claimants`.
    using claimant = detail::owner_id;
    static constexpr claimant nobody = 0;
    static constexpr claimant claimants = 126;
    static constexpr claimant kept = 127;

    /// @brief The first bytes of the storage, which are this process's own and not shared: its
    /// number among the claimants, 0 standing for 1. A multiple of every page size.
    static constexpr std::size_t private_bytes = std::size_t{64} << 10;

    /// @brief A view of n granules: the map that the storage holds; zeroed, it is all free. O(1).
    basic_claimed(std::byte* storage, std::size_t n) noexcept
        : me_(std::max(*reinterpret_cast<const claimant*>(storage), claimant{1})),
          books_(reinterpret_cast<book*>(storage + private_bytes)),
          search_(reinterpret_cast<typename search::summary::node*>(books_ + claimants + 1),
                  reinterpret_cast<line*>(storage + lines_at(n)), n) {}

    /// @brief Storage for n granules, in bytes.
    [[nodiscard]] static constexpr std::size_t storage_bytes(std::size_t n) noexcept {
        return lines_at(n) + bits::words(n) * sizeof(line);
    }

    /// @brief Makes the process that the storage is mapped in claimant number `who`, for views that
    /// are made from now on.
    static void name_claimant(std::byte* storage, claimant who) noexcept {
        *reinterpret_cast<claimant*>(storage) = who;
    }

    [[nodiscard]] std::size_t size() const noexcept { return search_.size(); }
    [[nodiscard]] claimant self() const noexcept { return me_; }

    /// @brief Exact at rest. What is just being claimed counts as used. O(n / 8).
    [[nodiscard]] std::size_t free_count() const noexcept {
        std::size_t used = 0;
        for (std::size_t at = 0; at != bits::words(size()); ++at)
            used += static_cast<std::size_t>(std::popcount(lines()[at].load()));
        return size() - used;
    }

    /// @brief Give-backs so far, those of failed claims of several words among them; empty during a
    /// claim of several words, until it is reclaimed if its claimant died in it.
    [[nodiscard]] std::optional<std::uint64_t> settled() const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t who = 1; who <= claimants; ++who) {
            const std::uint64_t changes = books_[who].changes.load();
            if (changes % give_back != 0)
                return std::nullopt;
            sum += changes / give_back;
        }
        return sum;
    }

    [[nodiscard]] bool test(std::size_t granule) const noexcept { return owner(granule) != nobody; }

    /// @brief Whose the granule is.
    [[nodiscard]] claimant owner(std::size_t granule) const noexcept {
        return static_cast<claimant>(lines()[granule / 64].words[granule / 8 % 8].load() >>
                                     granule % 8 * 8);
    }

    /// @brief How many granules are whose. O(n).
    [[nodiscard]] std::size_t count_of(claimant whose) const noexcept {
        std::size_t count = 0;
        each_word([&](auto& word) {
            count += detail::owner_word::bytes_in(detail::owner_word::bytes_of(word.load(), whose));
        });
        return whose == nobody ? count - (bits::words(size()) * 64 - size()) : count;
    }

    /// @brief The lowest free legal position. May correct the summary.
    /// @par Complexity  that of `atomic`
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        return search_.find_fit(q);
    }
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        return search_.next_free_run(from);
    }

    /// @par Complexity  O(run / 8)
    bool claim(granule_run run) noexcept { return claim(run, false); }

    /// @brief Claims what `find_fit` finds, and searches again where somebody was faster.
    std::optional<std::size_t> claim_lowest(const placement& q) noexcept {
        while (const auto found = find_fit(q)) {
            const bool after_used = q.mask == 0 && *found > q.from;
            if (claim({*found, q.count}, after_used))
                return found;
        }
        return std::nullopt;
    }

    /// @brief Gives the granules back that are this claimant's or kept; answers how many were not.
    /// @par Complexity  O(run / 8 + run / 512 log n)
    std::size_t release(granule_run run) noexcept {
        const std::size_t given = in_one_word(run) ? clear_at_once(run) : clear_several(run);
        search_.tell_of_room(run);
        books_[me_].changes.fetch_add(give_back);
        return run.count - given;
    }

    /// @brief Makes the map keep what is this claimant's: it outlives this process, and anybody may
    /// release it. Answers false, and nothing changes, unless all of the run is this claimant's.
    /// Death before this returns: all of the run is the claimant's.
    /// @par Complexity  O(run / 8)
    bool keep(granule_run run) noexcept { return move(run, me_, kept); }

    /// @brief The other way: what is kept becomes this claimant's.
    bool take_over(granule_run run) noexcept { return move(run, kept, me_); }

    /// @brief Gives back what a claimant that is dead held, and was claiming or giving back. May
    /// itself be stopped anywhere and be done again. Answers how many granules.
    /// @pre  The claimant runs no more, nobody else reclaims for it, and nobody has its number
    /// until this has returned.
    /// @par Complexity  O(n / 8)
    std::size_t reclaim(claimant dead) noexcept {
        book& left = books_[dead];
        for (auto& unfinished : left.moves) {
            const granule_run run{static_cast<std::size_t>(unfinished.first.load()),
                                  static_cast<std::size_t>(unfinished.count.load())};
            if (run.count == 0)
                continue;
            (void)replace(run, kept, dead);
            unfinished.count.store(0);
        }
        left.moving.store(0);
        std::size_t freed = 0;
        each_word([&](auto& word) {
            if (word.load() != 0)
                freed += detail::owner_word::replace(word, ~std::uint64_t{0}, dead, nobody);
        });
        search_.tell_of_all_room(); // of what it had cleared, too
        left.changes.store((left.changes.load() / give_back + 1) * give_back);
        return freed;
    }

    /// @brief All free again. Alone.
    /// @par Complexity  O(n / 8); untouched storage stays untouched
    void reset() noexcept {
        each_word([](auto& word) {
            if (word.load() != 0)
                word.store(0);
        });
        search_.reset();
        for (std::size_t who = 0; who <= claimants; ++who)
            if (books_[who].changes.load() != 0)
                books_[who].changes.store(0);
    }

  private:
    static constexpr std::uint64_t half_done = 1;
    static constexpr std::uint64_t give_back = 1 << 16;

    /// A move of several words that is not done; count 0: none.
    struct unfinished_move {
        Atomic<std::uint64_t> first;
        Atomic<std::uint64_t> count;
    };
    /// What a claimant is doing. Only it writes here, and who reclaims for it.
    struct alignas(storage_alignment) book {
        Atomic<std::uint64_t> changes; ///< give-backs done, and in the low bits claims half-done
        Atomic<std::uint64_t> moving;  ///< which of the next its threads use, a bit each
        unfinished_move moves[3];
    };
    static_assert(sizeof(line) == storage_alignment);

    [[nodiscard]] static constexpr std::size_t lines_at(std::size_t n) noexcept {
        return private_bytes + (claimants + 1) * sizeof(book) +
               search::summary::nodes(search::leaves(n)) * sizeof(std::uint64_t);
    }
    [[nodiscard]] static constexpr bool in_one_word(granule_run run) noexcept {
        return run.first % 8 + run.count <= 8;
    }
    [[nodiscard]] line* lines() const noexcept { return search_.words(); }

    template <class F>
    void each_word(F&& f) const noexcept {
        for (std::size_t at = 0; at != bits::words(size()); ++at)
            for (auto& word : lines()[at].words)
                f(word);
    }

    std::size_t replace(granule_run run, claimant from, claimant to) noexcept {
        std::size_t count = 0;
        detail::each_owner_word(lines(), run, [&](auto& word, std::uint64_t mask) {
            count += detail::owner_word::replace(word, mask, from, to);
            return true;
        });
        return count;
    }

    [[nodiscard]] bool any(granule_run run, claimant whose) const noexcept {
        return !detail::each_owner_word(lines(), run, [&](auto& word, std::uint64_t mask) {
            return (detail::owner_word::bytes_of(word.load(), whose) & mask) == 0;
        });
    }
    [[nodiscard]] bool all(granule_run run, claimant whose) const noexcept {
        return detail::each_owner_word(lines(), run, [&](auto& word, std::uint64_t mask) {
            return (~detail::owner_word::bytes_of(word.load(), whose) & mask) == 0;
        });
    }

    /// As in `atomic`: downwards, all or nothing, and with `after_used` only behind a granule in
    /// use.
    bool claim(granule_run run, bool after_used) noexcept {
        if (in_one_word(run))
            return detail::owner_word::take(
                lines()[run.first / 64].words[run.first / 8 % 8],
                detail::owner_word::mask(run.first % 8, run.first % 8 + run.count), me_);
        if (after_used && !test(run.first - 1))
            return false;
        book& mine = books_[me_];
        mine.changes.fetch_add(half_done);
        const std::size_t taken = take_down(run);
        const bool claimed = taken == run.first && (!after_used || test(run.first - 1));
        if (!claimed && taken != run.last()) {
            const granule_run undone{taken, run.last() - taken};
            (void)replace(undone, me_, nobody);
            search_.tell_of_room(undone);
            mine.changes.fetch_add(give_back);
        }
        mine.changes.fetch_sub(half_done);
        return claimed;
    }

    /// Answers from where on the run is taken.
    [[nodiscard]] std::size_t take_down(granule_run run) noexcept {
        for (std::size_t end = run.last(); end != run.first;) {
            const std::size_t word = (end - 1) / 8;
            const std::size_t begin = std::max(run.first, word * 8);
            if (!detail::owner_word::take(lines()[word / 8].words[word % 8],
                                          detail::owner_word::mask(begin % 8, (end - 1) % 8 + 1),
                                          me_))
                return end;
            end = begin;
        }
        return run.first;
    }

    /// Clears what is mine or kept in one word, and so in one step.
    std::size_t clear_at_once(granule_run run) noexcept {
        auto& word = lines()[run.first / 64].words[run.first / 8 % 8];
        const std::uint64_t mask =
            detail::owner_word::mask(run.first % 8, run.first % 8 + run.count);
        std::uint64_t seen = word.load();
        while (true) {
            const std::uint64_t ours = (detail::owner_word::bytes_of(seen, me_) |
                                        detail::owner_word::bytes_of(seen, kept)) &
                                       mask;
            if (ours == 0 || word.compare_exchange_weak(seen, seen & ~ours))
                return detail::owner_word::bytes_in(ours);
        }
    }

    /// What is kept becomes mine before any of it is cleared: of what is mine nothing is lost.
    std::size_t clear_several(granule_run run) noexcept {
        if (any(run, kept))
            replace_recorded(run, kept, me_);
        return replace(run, me_, nobody);
    }

    bool move(granule_run run, claimant from, claimant to) noexcept {
        if (!all(run, from))
            return false;
        if (in_one_word(run))
            return replace(run, from, to) == run.count;
        return replace_recorded(run, from, to) == run.count;
    }

    std::size_t replace_recorded(granule_run run, claimant from, claimant to) noexcept {
        book& mine = books_[me_];
        for (std::size_t i = 0;; i = (i + 1) % 3) {
            const std::uint64_t flag = std::uint64_t{1} << i;
            if ((mine.moving.load() & flag) != 0 || (mine.moving.fetch_or(flag) & flag) != 0)
                continue; // another thread's of this process; it lasts for a few words
            mine.moves[i].first.store(run.first);
            mine.moves[i].count.store(run.count);
            const std::size_t count = replace(run, from, to);
            mine.moves[i].count.store(0);
            mine.moving.fetch_and(~flag);
            return count;
        }
    }

    claimant me_;
    book* books_;
    search search_;
};

/// @brief The bitmap as it is used.
using claimed = basic_claimed<std::atomic>;
static_assert(concurrent_bitmap<claimed> && bitmap_claims_lowest<claimed> &&
              bitmap_is_shared_by_processes<claimed>);

} // namespace palloc::inline v0
