// SPDX-License-Identifier: MIT
/// @file
/// @brief Where a free run of some length may be: bounds that threads raise and lower at once.
///
/// A tree with eight children a node, laid out as `octree.hpp` says. A leaf stands for 512 granules
/// and bounds from above how many granules are free in a row from any granule of it on, counted
/// beyond its end, 512 standing for all more. An inner node bounds its children. A node is one
/// word:
///
///     63               11 10      9           0
///     [ version          ][lowering][ 512 - bound ]      zero: all free
///
/// Who makes room first clears the words and then *raises* the path from leaf to root. Who took
/// room does nothing: a bound that is too high costs the search that it misleads some time, and
/// that search *lowers* it. Lowering is done in three steps: mark the node, work the bound out from
/// what is below, store it if the node has not changed since. Raising a node that is high enough
/// already leaves it alone, but for one that is marked, which it changes so that the store fails.
/// So whoever made room before the bound was worked out was seen, and whoever made it afterwards
/// either raises after the store or prevents it: a bound is never too low, but for room that is
/// just being made. There is nothing to wait for, and what a thread leaves half-done when it stops
/// is at worst a bound that is too high or the mark, which keeps nobody.
///
/// All accesses are sequentially consistent: the argument needs it.
#pragma once

#include <palloc/bitmaps/detail/octree.hpp>
#include <palloc/core/version.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::detail {

/// @tparam Atomic  `std::atomic`; a test's own can come between any two accesses.
template <template <class> class Atomic>
class atomic_summary {
  public:
    using node = Atomic<std::uint64_t>;

    static constexpr std::size_t leaf_granules = 512;
    /// @brief The answer of a search that finds no leaf.
    static constexpr std::size_t none = octree::none;

    /// @brief Words of storage for `leaves` leaves, whole cache lines.
    [[nodiscard]] static constexpr std::size_t nodes(std::size_t leaves) noexcept {
        return octree::node_count(leaves);
    }

    atomic_summary(node* nodes, std::size_t leaves) noexcept
        : nodes_(nodes), leaf_base_(octree::leaf_base(leaves)), leaves_(leaves) {}

    /// @brief The lowest leaf that is not below `from` and whose bound is at least `wanted`.
    /// @pre  from < leaves, 1 <= wanted <= leaf_granules.
    /// @par Complexity  O(log8 leaves) lines, and those where bounds proved too high
    [[nodiscard]] std::size_t first_from(std::size_t from, std::size_t wanted) const noexcept {
        std::size_t i = leaf_base_ + from;
        if (bound(nodes_[i].load()) >= wanted) [[likely]]
            return from;
        if (from == 0)
            i = octree::root_index;
        for (unsigned eligible = ~0u << i % 8;;) {
            const unsigned found = hits(i, wanted) & eligible;
            if (found != 0) {
                i = i / 8 * 8 + static_cast<unsigned>(std::countr_zero(found));
                if (i >= leaf_base_)
                    return i - leaf_base_ < leaves_ ? i - leaf_base_ : none;
                i = octree::first_child(i);
                if (i >= leaf_base_ + leaves_)
                    return none; // what is past the end looks free
                eligible = ~0u;
            } else if (i <= octree::root_index) {
                return none;
            } else {
                i = octree::parent(i);
                if (eligible == ~0u) // the node above them is too high
                    (void)lower_inner(i);
                eligible = ~0u << 1 << i % 8;
            }
        }
    }

    /// @brief Sees to it that no bound from `leaf` to the root is below `length`.
    void raise(std::size_t leaf, std::size_t length) const noexcept {
        for (std::size_t i = leaf_base_ + leaf;; i = octree::parent(i)) {
            raise_node(nodes_[i], length);
            if (i == octree::root_index)
                return;
        }
    }

    /// @brief Lowers the bound of a leaf that a search found to be above `seen` to what `longest()`
    /// then works out, and those above it; not where they change meanwhile.
    template <class Longest>
    void lower(std::size_t leaf, std::size_t seen, Longest longest) const noexcept {
        std::size_t i = leaf_base_ + leaf;
        if (bound(nodes_[i].load()) <= seen || !lower_node(nodes_[i], longest))
            return;
        while (i != octree::root_index) {
            i = octree::parent(i);
            if (!lower_inner(i))
                return;
        }
    }

    /// @brief Makes every bound the highest. Alone.
    void reset() const noexcept {
        for (node* n = nodes_; n != nodes_ + leaf_base_ + leaves_; ++n)
            if (n->load() != 0)
                n->store(0);
    }

  private:
    static constexpr std::uint64_t lowering = 1 << 10;
    static constexpr std::uint64_t version_step = 1 << 11;

    static constexpr std::size_t bound(std::uint64_t value) noexcept {
        return leaf_granules - value % lowering;
    }
    /// The next version of a node, not marked.
    static constexpr std::uint64_t next(std::uint64_t value, std::size_t bound) noexcept {
        return (value / version_step + 1) * version_step + (leaf_granules - bound);
    }

    static void raise_node(node& n, std::size_t length) noexcept {
        std::uint64_t value = n.load();
        while (value % version_step > leaf_granules - length) // too low, or marked
            if (n.compare_exchange_weak(value, next(value, std::max(bound(value), length))))
                return;
    }

    template <class Bound>
    static bool lower_node(node& n, Bound new_bound) noexcept {
        std::uint64_t value = n.load();
        const std::uint64_t marked = next(value, bound(value)) | lowering;
        if (!n.compare_exchange_strong(value, marked))
            return false;
        value = marked;
        return n.compare_exchange_strong(value, next(marked, new_bound()));
    }

    [[nodiscard]] bool lower_inner(std::size_t i) const noexcept {
        const auto highest = [&] { return highest_child(i); };
        return bound(nodes_[i].load()) > highest() && lower_node(nodes_[i], highest);
    }

    [[nodiscard]] std::size_t highest_child(std::size_t i) const noexcept {
        const node* line = nodes_ + octree::first_child(i);
        std::size_t highest = 0;
        for (unsigned k = 0; k < 8; ++k)
            highest = std::max(highest, bound(line[k].load()));
        return highest;
    }

    /// Bit k: in the line of node i, node k's bound is at least `wanted`. Without a branch.
    [[nodiscard]] unsigned hits(std::size_t i, std::size_t wanted) const noexcept {
        const node* line = nodes_ + i / 8 * 8;
        unsigned found = 0;
        for (unsigned k = 0; k < 8; ++k)
            found |= static_cast<unsigned>(bound(line[k].load()) >= wanted) << k;
        return found;
    }

    node* nodes_;
    std::size_t leaf_base_;
    std::size_t leaves_;
};

} // namespace palloc::inline v0::detail
