// SPDX-License-Identifier: MIT
/// @file
/// @brief The long free runs in the order of (length, first granule).
///
/// Runs of 64 granules or more begin in different words of the bitmap, so the word is the slot of a
/// run's node and no node is ever allocated. Each bin, one a power of two of length, is a digital
/// search tree: a node sits where the bits of its key (the length below its leading one, then the
/// slot) lead and a place is free. It needs no balancing, and no path is longer than the key.
/// Zeroed storage is an empty trie; a slot without a run is zero.
///
/// Memory: 24 bytes a word of the bitmap, touched only where a long run begins.
/// @par Source  Coffman and Eve, File structures using hashing functions, CACM 13(7), 1970; Knuth,
/// TAOCP 3, 6.3 algorithm D. Bins as in Lea's malloc.
#pragma once

#include <palloc/core/version.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::detail {

/// @brief `Steps` counts nodes. `log2` below is that of the chunk's granules.
template <class Steps>
class run_trie {
  public:
    /// @brief A run: its length in granules, 0 for none, and the word it begins in.
    struct entry {
        std::uint64_t length = 0;
        std::uint64_t slot = 0;

        friend constexpr auto operator<=>(const entry&, const entry&) = default;
    };

    struct node {
        std::uint64_t length;
        std::uint64_t child[2]; ///< slot + 1; 0: none
    };

    struct bins {
        std::uint64_t used;      ///< bit k: some length has k + 1 bits
        std::uint64_t roots[64]; ///< slot + 1; 0: none
    };

    run_trie(bins* roots, node* nodes, std::size_t slots) noexcept
        : bins_(roots), nodes_(nodes), slot_bits_(static_cast<unsigned>(std::bit_width(slots))) {}

    /// @brief The length of the run that begins in `slot`, 0 for none. O(1).
    [[nodiscard]] std::uint64_t length(std::size_t slot) const noexcept {
        return nodes_[slot].length;
    }

    /// @brief Adds a run. O(log2).
    void insert(entry run) noexcept {
        const unsigned bin = bin_of(run.length);
        bins_->used |= std::uint64_t{1} << bin;
        path way(run, slot_bits_);
        std::uint64_t* link = &bins_->roots[bin];
        while (*link != 0)
            link = &at(*link).child[way.next()];
        *link = run.slot + 1;
        nodes_[run.slot] = {run.length, {0, 0}};
    }

    /// @brief Removes a run that is there: any node below takes its place. O(log2).
    void erase(entry run) noexcept {
        const unsigned bin = bin_of(run.length);
        path way(run, slot_bits_);
        std::uint64_t* link = &bins_->roots[bin];
        while (*link != run.slot + 1)
            link = &at(*link).child[way.next()];
        std::uint64_t* last = link;
        for (node* n = &at(*last); (n->child[0] | n->child[1]) != 0; n = &at(*last))
            last = &n->child[n->child[1] != 0];
        const std::uint64_t heir = *last;
        *last = 0;
        if (heir != run.slot + 1) {
            const node& gone = nodes_[run.slot];
            nodes_[heir - 1].child[0] = gone.child[0];
            nodes_[heir - 1].child[1] = gone.child[1];
            *link = heir;
        }
        nodes_[run.slot] = {};
        if (bins_->roots[bin] == 0)
            bins_->used &= ~(std::uint64_t{1} << bin);
    }

    /// @brief Zeroes the slots [first, first + count), whatever leads to them.
    void forget(std::size_t first, std::size_t count) noexcept {
        std::fill_n(nodes_ + first, count, node{});
    }

    /// @brief The least run that is not less than `key`; length 0 if there is none. O(log2).
    [[nodiscard]] entry not_less(entry key) const noexcept {
        const unsigned bin = bin_of(key.length);
        entry best{};
        std::uint64_t greater = 0; // the deepest subtree that branched off upwards
        path way(key, slot_bits_);
        for (std::uint64_t link = bins_->roots[bin]; link != 0;) {
            const node& n = at(link);
            const entry here{n.length, link - 1};
            if (here >= key)
                best = lesser(best, here);
            const unsigned bit = way.next();
            if (bit == 0 && n.child[1] != 0)
                greater = n.child[1];
            link = n.child[bit];
        }
        best = least(greater, best);
        if (best.length != 0)
            return best;
        const std::uint64_t above = bins_->used & (~std::uint64_t{1} << bin);
        return above == 0 ? best : least(bins_->roots[std::countr_zero(above)], best);
    }

  private:
    /// The bits of a key, highest first.
    class path {
      public:
        path(entry key, unsigned slot_bits) noexcept
            : left_(bin_of(key.length)), bits_(key.length << (64 - left_)),
              slot_(key.slot << (64 - slot_bits)) {}

        unsigned next() noexcept {
            if (left_-- == 0)
                bits_ = slot_;
            const auto bit = static_cast<unsigned>(bits_ >> 63);
            bits_ <<= 1;
            return bit;
        }

      private:
        unsigned left_;
        std::uint64_t bits_;
        std::uint64_t slot_;
    };

    static constexpr unsigned bin_of(std::uint64_t length) noexcept {
        return static_cast<unsigned>(std::bit_width(length)) - 1;
    }

    static constexpr entry lesser(entry a, entry b) noexcept {
        return a.length == 0 || b < a ? b : a;
    }

    /// The lesser of `best` and the least run below `link`, which is on its leftmost path.
    [[nodiscard]] entry least(std::uint64_t link, entry best) const noexcept {
        while (link != 0) {
            const node& n = at(link);
            best = lesser(best, {n.length, link - 1});
            link = n.child[n.child[0] == 0];
        }
        return best;
    }

    [[nodiscard]] node& at(std::uint64_t link) const noexcept {
        Steps::take();
        return nodes_[link - 1];
    }

    bins* bins_;
    node* nodes_;
    unsigned slot_bits_;
};

} // namespace palloc::inline v0::detail
