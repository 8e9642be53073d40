// SPDX-License-Identifier: MIT
/// @file
/// @brief A tree of numbers with eight children a node, each node the join of its children.
///
/// Zeroed nodes are a tree of zeros. Where they lie, and how much memory that is, tells
/// `octree.hpp`.
/// @par Complexity  Every member reads O(log8 leaves) lines.
#pragma once

#include <palloc/bitmaps/detail/octree.hpp>
#include <palloc/core/version.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief `Join` is associative and commutative with 0 as neutral element; `Steps` counts lines.
template <class Join, class Steps>
class tree8 {
  public:
    /// @brief The answer of a search that finds no leaf.
    static constexpr std::size_t none = octree::none;

    /// @brief Words of storage for `leaves` leaves, whole cache lines.
    [[nodiscard]] static constexpr std::size_t node_count(std::size_t leaves) noexcept {
        return octree::node_count(leaves);
    }

    tree8(std::uint64_t* nodes, std::size_t leaves) noexcept
        : nodes_(nodes), leaf_base_(octree::leaf_base(leaves)), leaves_(leaves) {}

    [[nodiscard]] std::uint64_t root() const noexcept { return nodes_[octree::root_index]; }
    [[nodiscard]] std::uint64_t leaf(std::size_t i) const noexcept {
        return nodes_[leaf_base_ + i];
    }

    /// @brief The lowest leaf that is not below `from` and whose value is `wanted`.
    /// @pre  A join is wanted if and only if one of its parts is.
    template <class Wanted>
    [[nodiscard]] std::size_t first_from(std::size_t from, Wanted wanted) const noexcept {
        if (from >= leaves_ || !wanted(root()))
            return none;
        std::size_t i = octree::root_index;
        if (from != 0) {
            i = leaf_base_ + from;
            unsigned found = hits(i, wanted) & (~0u << i % 8);
            while (found == 0) {
                if (i == octree::root_index)
                    return none;
                i = octree::parent(i);
                found = hits(i, wanted) & (~0u << 1 << i % 8);
            }
            i = i / 8 * 8 + static_cast<unsigned>(std::countr_zero(found));
        }
        while (i < leaf_base_) {
            const std::size_t child = octree::first_child(i);
            i = child + static_cast<unsigned>(std::countr_zero(hits(child, wanted)));
        }
        return i - leaf_base_;
    }

    /// @brief The highest leaf below `end` that is not zero.
    [[nodiscard]] std::size_t last_before(std::size_t end) const noexcept {
        const auto wanted = [](std::uint64_t value) { return value != 0; };
        std::size_t i = leaf_base_ + end;
        unsigned found = 0;
        while ((found = hits(i, wanted) & ~(~0u << i % 8)) == 0) {
            if (i <= octree::root_index)
                return none;
            i = octree::parent(i);
        }
        for (;;) {
            i = i / 8 * 8 + static_cast<unsigned>(std::bit_width(found)) - 1;
            if (i >= leaf_base_)
                return i - leaf_base_;
            i = octree::first_child(i);
            found = hits(i, wanted);
        }
    }

    /// @brief Gives a leaf a value and joins upwards as far as anything changes.
    void set(std::size_t leaf, std::uint64_t value) noexcept {
        std::size_t i = leaf_base_ + leaf;
        while (nodes_[i] != value) {
            nodes_[i] = value;
            if (i == octree::root_index)
                return;
            value = joined(i / 8 * 8);
            i = octree::parent(i);
        }
    }

    /// @brief Zeroes the leaves below `end` and all that is above them; the others must be zero.
    void clear_before(std::size_t end) noexcept {
        for (std::size_t first = leaf_base_;; first = octree::parent(first)) {
            std::fill_n(nodes_ + first, end, 0);
            if (first == octree::root_index)
                return;
            end = (end + 7) / 8;
        }
    }

    /// @brief Whether each node is the join of its children. O(leaves).
    [[nodiscard]] bool consistent() const noexcept {
        for (std::size_t line = (leaf_base_ + leaves_ - 1) / 8 * 8; line != 0; line -= 8)
            if (nodes_[octree::parent(line)] != joined(line))
                return false;
        return true;
    }

  private:
    /// Bit k: node k of the line that holds node i is wanted. Without a branch.
    template <class Wanted>
    [[nodiscard]] unsigned hits(std::size_t i, Wanted wanted) const noexcept {
        Steps::take();
        const std::uint64_t* line = nodes_ + i / 8 * 8;
        return [&]<std::size_t... K>(std::index_sequence<K...>) {
            return (... | (static_cast<unsigned>(wanted(line[K])) << K));
        }(std::make_index_sequence<8>{});
    }

    [[nodiscard]] std::uint64_t joined(std::size_t line) const noexcept {
        Steps::take();
        const std::uint64_t* n = nodes_ + line;
        constexpr Join join;
        return join(join(join(n[0], n[1]), join(n[2], n[3])),
                    join(join(n[4], n[5]), join(n[6], n[7])));
    }

    std::uint64_t* nodes_;
    std::size_t leaf_base_;
    std::size_t leaves_;
};

} // namespace palloc::inline v0::detail
