// SPDX-License-Identifier: MIT
/// @file
/// @brief The bits of a chunk and an index of its maximal free runs by place and by length.
///
/// - *Bits*: one a granule, 1 = allocated. A *leaf* is a cache line of them, 512 granules; a free
///   run belongs to the leaf and the word it begins in.
/// - *Lengths*: a mask a leaf. Bit k: a run of k + 1 granules begins here; bit 63: a *long* one, of
///   64 or more. Joined by `or` in a tree.
/// - *Longest*: the longest long run of each leaf, joined by `max` in a tree.
/// - *Longs*: a trie of the long runs by (length, place), which also knows how long each is.
/// - *Tail*: the free run that ends the chunk, empty or not. It is known by its first granule alone
///   and in none of the above; from there on all storage is zero, so what was never allocated costs
///   nothing, not even in the constructor. Bits behind the end are zero as well: the tail has no
///   visible end, and no search for an exact length ever takes it for a hit.
///
/// Memory, bytes a granule: bits 0.125, lengths 0.018; touched only for long runs: longest 0.018,
/// longs 0.375. Both trees have up to twice as much just above 512 times a power of eight granules.
/// @par Thread safety  None.
#pragma once

#include <palloc/bitmaps/detail/leaf_bits.hpp>
#include <palloc/bitmaps/detail/run_trie.hpp>
#include <palloc/bitmaps/detail/tree8.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/bits.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace palloc::inline v0::detail {

struct greater_of {
    constexpr std::uint64_t operator()(std::uint64_t a, std::uint64_t b) const noexcept {
        return a < b ? b : a;
    }
};

/// @brief Everything is O(log n) for n granules unless said; `Steps` counts lines of the index.
template <class Steps>
class run_index {
    using trie = run_trie<Steps>;
    using lengths_tree = tree8<std::bit_or<>, Steps>;
    using longest_tree = tree8<greater_of, Steps>;

    struct alignas(storage_alignment) header {
        std::uint64_t used;
        std::uint64_t tail;
        typename trie::bins longs;
    };

    using leaves = leaf_bits<Steps>;

    static constexpr std::size_t leaf_words = leaves::words;
    static constexpr std::size_t leaf_granules = leaves::granules;
    static constexpr std::uint64_t long_bit = std::uint64_t{1} << 63;

  public:
    static constexpr std::size_t none = leaves::none;

    /// @brief Runs of so many granules are long: their lengths share one bit of a mask.
    static constexpr std::size_t long_granules = 64;

    [[nodiscard]] static constexpr std::size_t storage_bytes(std::size_t n) noexcept {
        return plan(n).bytes;
    }

    run_index(std::byte* storage, std::size_t n) noexcept : run_index(storage, n, plan(n)) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t used() const noexcept {
        return static_cast<std::size_t>(header_->used);
    }
    [[nodiscard]] std::size_t tail() const noexcept {
        return static_cast<std::size_t>(header_->tail);
    }

    /// @brief One past the last granule of the leaf of p.
    [[nodiscard]] static constexpr std::size_t leaf_end(std::size_t p) noexcept {
        return (p / leaf_granules + 1) * leaf_granules;
    }

    [[nodiscard]] bool busy(std::size_t i) const noexcept { return i < tail() && bits_.busy(i); }

    /// @brief Bit k: there is a run of k + 1 granules; bit 63: of 64 or more. Without the tail.
    [[nodiscard]] std::uint64_t lengths() const noexcept { return lengths_.root(); }

    /// @brief The length of the longest run, the tail included. O(1).
    [[nodiscard]] std::size_t longest() const noexcept {
        const auto shorts = static_cast<std::size_t>(std::bit_width(lengths_.root()));
        return std::max({shorts, static_cast<std::size_t>(longest_.root()), size_ - tail()});
    }

    /// @brief The first granule of the run that the free granule p belongs to.
    [[nodiscard]] std::size_t first_of(std::size_t p) const noexcept {
        if (p >= tail())
            return tail();
        const bits::word below = words()[p / 64] << (63 - p % 64);
        if (below != 0)
            return p + 1 - static_cast<unsigned>(std::countl_zero(below));
        const std::size_t leaf = p / leaf_granules;
        const std::size_t first = bits_.begin_before(leaf, p / 64);
        if (first % leaf_granules != 0 || first == 0 || bits_.busy(first - 1))
            return first;
        const std::size_t other =
            lengths_.last_before(leaf); // the run is the last that begins there
        return bits_.begin_before(other, (other + 1) * leaf_words);
    }

    /// @brief One past the last granule of the run that begins at p, which is free. O(1).
    [[nodiscard]] std::size_t end_of(std::size_t p) const noexcept {
        if (p >= tail())
            return size_;
        const std::size_t word = p / 64;
        const bits::word behind = words()[word] >> p % 64;
        if (behind != 0)
            return p + static_cast<unsigned>(std::countr_zero(behind));
        const std::size_t next =
            (word + 1) * 64 + static_cast<unsigned>(std::countr_zero(words()[word + 1]));
        return next - p < long_granules ? next : p + static_cast<std::size_t>(longs_.length(word));
    }

    /// @brief The run that the free granule p belongs to.
    [[nodiscard]] granule_run around(std::size_t p) const noexcept {
        const std::size_t first = first_of(p);
        return {first, end_of(first) - first};
    }

    /// @brief The lowest place that is not below p and has `count` free granules.
    /// @pre  p <= size().
    /// @par Complexity  O(1) if no run is so long.
    [[nodiscard]] std::size_t lowest(std::size_t p, std::size_t count) const noexcept {
        std::size_t found = p;
        if (p < tail()) {
            std::size_t leaf = 0;
            found = none;
            if (p != 0) {
                found = lowest_in_leaf(p, count);
                leaf = p / leaf_granules + 1;
            }
            if (found == none) {
                leaf = count <= long_granules
                           ? lengths_.first_from(leaf, at_least{length_bit(count)})
                           : longest_.first_from(leaf, at_least{count});
                found = leaf == none ? tail() : lowest_in_leaf(leaf * leaf_granules, count);
            }
        }
        return count <= size_ - found ? found : none;
    }

    /// @brief The lowest place in the leaf of p that is not below p, has `count` free granules and
    /// is in `allowed(word)`.
    /// @pre  count <= 64.
    template <class Allowed>
    [[nodiscard]] std::size_t lowest_in_leaf(std::size_t p, std::size_t count,
                                             Allowed allowed) const noexcept {
        return bits_.lowest_fit(p, count, allowed);
    }

    /// @brief The first run that begins at or after p and has exactly `count` granules.
    /// @pre  p < size(), count <= 63.
    [[nodiscard]] std::size_t next_exact(std::size_t p, std::size_t count) const noexcept {
        std::size_t leaf = 0;
        if (p != 0) {
            if (const std::size_t found = bits_.lowest_exact(p, count); found != none)
                return found;
            leaf = p / leaf_granules + 1;
        }
        leaf = lengths_.first_from(leaf, shares{length_bit(count)});
        return leaf == none ? none : bits_.lowest_exact(leaf * leaf_granules, count);
    }

    /// @brief The first run in the order of (length, place) that has `count` granules and begins in
    /// the word of p or behind it, or has more. Count 0: none. Without the tail.
    /// @pre  count >= 64.
    [[nodiscard]] granule_run next_long(std::size_t p, std::size_t count) const noexcept {
        const auto found = longs_.not_less({count, p / 64});
        return found.length == 0
                   ? granule_run{}
                   : granule_run{bits_.last_begin(static_cast<std::size_t>(found.slot)),
                                 static_cast<std::size_t>(found.length)};
    }

    /// @brief Takes all of the run, or nothing. O(log n + run / 64).
    bool claim(granule_run run) noexcept {
        if (run.first >= tail()) {
            const granule_run before = between(tail(), run.first);
            header_->tail = run.last();
            set(run);
            settle(before.first, 0, link(before));
            return true;
        }
        if (busy(run.first))
            return false;
        const granule_run hole = around(run.first);
        if (hole.last() < run.last())
            return false;
        set(run);
        const std::uint64_t gone = unlink(hole);
        const std::uint64_t before = link(between(hole.first, run.first));
        const std::uint64_t behind = link(between(run.last(), hole.last()));
        settle(hole.first, gone, before);
        settle(run.last(), 0, behind);
        return true;
    }

    /// @brief Gives the run back. O(log n + run / 64).
    /// @return How many of its granules were free; unless 0, nothing has changed.
    std::size_t release(granule_run run) noexcept {
        if (!bits::each_word(
                run, [&](std::size_t at, bits::word mask) { return (words()[at] & mask) == mask; }))
            return run.count - bits::count(words(), run);
        const bool free_before = run.first != 0 && !busy(run.first - 1);
        const std::size_t first = free_before ? first_of(run.first - 1) : run.first;
        const std::size_t last = busy(run.last()) ? run.last() : end_of(run.last());
        const bool is_tail = run.last() == tail();
        bits::clear(words(), run);
        header_->used -= run.count;
        const std::uint64_t before = unlink(between(first, run.first));
        if (is_tail) {
            header_->tail = first;
            settle(first, before, 0);
        } else {
            const std::uint64_t behind = unlink(between(run.last(), last));
            settle(first, before, link(between(first, last)));
            settle(run.last(), behind, 0);
        }
        return 0;
    }

    /// @brief All free again. O(tail).
    void reset() noexcept {
        const std::size_t end = (tail() + leaf_granules - 1) / leaf_granules;
        for (std::size_t leaf = 0; leaf < end; ++leaf)
            if (longest_.leaf(leaf) != 0)
                longs_.forget(leaf * leaf_words, leaf_words);
        longest_.clear_before(end);
        lengths_.clear_before(end);
        std::fill_n(words(), end * leaf_words, 0);
        *header_ = {};
    }

    /// @brief Whether the index tells of the bits what a scan of them does. O(n log n), for tests.
    [[nodiscard]] bool consistent() const noexcept {
        bool good = lengths_.consistent() && longest_.consistent() && tail() <= size_ &&
                    (tail() == 0 || busy(tail() - 1));
        std::size_t used = 0;
        for (std::size_t leaf = 0; leaf * leaf_granules < size_; ++leaf) {
            std::uint64_t mask = 0;
            std::uint64_t longest = 0;
            for (std::size_t word = leaf * leaf_words; word < (leaf + 1) * leaf_words; ++word) {
                std::uint64_t length = 0; // of the long run that begins in this word
                for (std::size_t p = word * 64; p < (word + 1) * 64; ++p) {
                    used += bits_.busy(p);
                    good = good && busy(p) == bits_.busy(p);
                    if (busy(p) || (p != 0 && !busy(p - 1)))
                        continue;
                    std::size_t last = p;
                    while (last < size_ && !busy(last))
                        ++last;
                    good = good && (last >= size_) == (p == tail());
                    if (last >= size_)
                        continue;
                    mask |= length_bit(last - p);
                    if (last - p >= long_granules)
                        length = last - p;
                }
                longest = std::max(longest, length);
                good = good && longs_.length(word) == length &&
                       (length == 0 || longs_.not_less({length, word}).slot == word);
            }
            good = good && lengths_.leaf(leaf) == mask && longest_.leaf(leaf) == longest;
        }
        return good && used == this->used();
    }

  private:
    [[nodiscard]] bits::word* words() const noexcept { return bits_.map(); }

    struct layout {
        std::size_t leaves, lengths, words, longest, longs, bytes;
    };

    static constexpr layout plan(std::size_t n) noexcept {
        layout at{};
        at.leaves = std::max<std::size_t>(1, (n + leaf_granules - 1) / leaf_granules);
        at.lengths = sizeof(header);
        at.words = at.lengths + lengths_tree::node_count(at.leaves) * 8;
        at.longest = at.words + (at.leaves + 1) * storage_alignment; // and what is behind the last
        at.longs = at.longest + longest_tree::node_count(at.leaves) * 8;
        at.bytes = at.longs + at.leaves * leaf_words * sizeof(typename trie::node);
        return at;
    }

    run_index(std::byte* storage, std::size_t n, const layout& at) noexcept
        : header_(reinterpret_cast<header*>(storage)),
          bits_(reinterpret_cast<bits::word*>(storage + at.words)),
          lengths_(reinterpret_cast<std::uint64_t*>(storage + at.lengths), at.leaves),
          longest_(reinterpret_cast<std::uint64_t*>(storage + at.longest), at.leaves),
          longs_(&header_->longs, reinterpret_cast<typename trie::node*>(storage + at.longs),
                 at.leaves * leaf_words),
          size_(n) {}

    struct at_least {
        std::uint64_t bound;
        bool operator()(std::uint64_t value) const noexcept { return value >= bound; }
    };

    struct shares {
        std::uint64_t bits;
        bool operator()(std::uint64_t value) const noexcept { return (value & bits) != 0; }
    };

    static constexpr std::uint64_t length_bit(std::size_t count) noexcept {
        return count == 0 ? 0 : std::uint64_t{1} << (std::min(count, long_granules) - 1);
    }

    static constexpr granule_run between(std::size_t first, std::size_t last) noexcept {
        return {first, last - first};
    }

    [[nodiscard]] std::size_t lowest_in_leaf(std::size_t p, std::size_t count) const noexcept {
        if (count <= long_granules)
            return bits_.lowest_fit(p, count, [](std::size_t) { return ~bits::word{0}; });
        if (!bits_.busy(p))
            if (const std::size_t end = end_of(first_of(p)); count <= end - p)
                return p;
        if (longest_.leaf(p / leaf_granules) < count)
            return none;
        return bits_.lowest(p, [&](std::size_t word) {
            return longs_.length(word) < count ? 0 : bits::word{1} << bits_.last_begin(word) % 64;
        });
    }

    void set(granule_run run) noexcept {
        bits::set(words(), run);
        header_->used += run.count;
    }

    /// Tells the trie of a new run, empty or not; answers its bit in a mask of lengths.
    std::uint64_t link(granule_run run) noexcept {
        if (run.count >= long_granules)
            longs_.insert({run.count, run.first / 64});
        return length_bit(run.count);
    }

    std::uint64_t unlink(granule_run run) noexcept {
        if (run.count >= long_granules)
            longs_.erase({run.count, run.first / 64});
        return length_bit(run.count);
    }

    /// Brings the trees up to date: in the leaf of p, runs of the lengths `gone` are no more, and
    /// runs of the lengths `come` are new.
    void settle(std::size_t p, std::uint64_t gone, std::uint64_t come) noexcept {
        if ((gone | come) == 0)
            return;
        const std::size_t leaf = p / leaf_granules;
        const std::uint64_t kept = lengths_.leaf(leaf) & ~gone;
        for (std::uint64_t lost = gone & ~come & ~long_bit; lost != 0; lost &= lost - 1)
            if (bits_.lowest_exact(leaf * leaf_granules,
                                   static_cast<unsigned>(std::countr_zero(lost)) + 1) != none)
                come |= lost & (0 - lost);
        if (((gone | come) & long_bit) != 0) {
            std::uint64_t longest = 0;
            for (std::size_t word = leaf * leaf_words; word < (leaf + 1) * leaf_words; ++word)
                longest = std::max(longest, longs_.length(word));
            longest_.set(leaf, longest);
            come |= longest == 0 ? 0 : long_bit;
        }
        lengths_.set(leaf, kept | come);
    }

    header* header_;
    leaves bits_;
    lengths_tree lengths_;
    longest_tree longest_;
    trie longs_;
    std::size_t size_;
};

} // namespace palloc::inline v0::detail
