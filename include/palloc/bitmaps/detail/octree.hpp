// SPDX-License-Identifier: MIT
/// @file
/// @brief Where the nodes of a tree with eight children a node lie in an array of words.
///
/// Level by level; the eight children of a node are one cache line, and parent and child are found
/// by arithmetic alone:
///
///     [. . . . . . . root] [8 children] [64 grandchildren] ... [leaves]
///      0             7      8            16          80
///
/// Memory: 8/7 words a leaf, up to twice that where the number of leaves is just above a power of
/// eight.
#pragma once

#include <palloc/core/version.hpp>

#include <cstddef>

namespace palloc::inline v0::detail::octree {

inline constexpr std::size_t root_index = 7;
/// @brief The answer of a search that finds no leaf.
inline constexpr std::size_t none = ~std::size_t{0};

[[nodiscard]] constexpr std::size_t parent(std::size_t i) noexcept {
    return i / 8 + 6;
}
[[nodiscard]] constexpr std::size_t first_child(std::size_t i) noexcept {
    return (i - 6) * 8;
}

/// @brief Where the leaves begin.
[[nodiscard]] constexpr std::size_t leaf_base(std::size_t leaves) noexcept {
    std::size_t base = root_index;
    for (std::size_t room = 1; room < leaves; room *= 8)
        base = first_child(base);
    return base;
}

/// @brief Words of storage for `leaves` leaves, whole cache lines.
[[nodiscard]] constexpr std::size_t node_count(std::size_t leaves) noexcept {
    return (leaf_base(leaves) + leaves + 7) / 8 * 8;
}

} // namespace palloc::inline v0::detail::octree
