// SPDX-License-Identifier: MIT
/// @file
/// @brief The pattern that a replayed block carries at both ends, and in each page between.
///
/// A program writes what it allocates. The replayer writes the first and the last eight bytes of
/// each block (all of a smaller one) and one byte in every page between, and looks at both ends
/// when the block is freed: blocks that overlap, or memory that an allocator uses for itself, show.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace palloc::bench {

/// @brief What a block in `slot` carries: different for any two blocks that are live at once.
[[nodiscard]] constexpr std::uint64_t edge_pattern(std::uint32_t slot,
                                                   std::uint64_t bytes) noexcept {
    return (std::uint64_t{slot} + 1) * 0x9e3779b97f4a7c15u ^ bytes * 0xc2b2ae3d27d4eb4fu;
}

namespace detail {

inline constexpr std::uint64_t edge_bytes = 8;
inline constexpr std::uint64_t page_bytes = 4096;

/// The pattern repeats every eight bytes from the block's base, so both ends agree where they meet.
[[nodiscard]] constexpr std::uint64_t tail_pattern(std::uint64_t pattern,
                                                   std::uint64_t bytes) noexcept {
    const int turn = static_cast<int>(bytes % edge_bytes * 8);
    return std::endian::native == std::endian::little ? std::rotr(pattern, turn)
                                                      : std::rotl(pattern, turn);
}

} // namespace detail

/// @brief Writes the pattern. @pre `bytes` bytes from `block` on are writable.
inline void write_edges(std::byte* block, std::uint64_t bytes, std::uint64_t pattern) noexcept {
    if (bytes < detail::edge_bytes) {
        std::memcpy(block, &pattern, bytes);
        return;
    }
    const std::uint64_t tail = detail::tail_pattern(pattern, bytes);
    std::memcpy(block, &pattern, detail::edge_bytes);
    for (std::uint64_t at = detail::page_bytes; at + detail::edge_bytes < bytes;
         at += detail::page_bytes)
        block[at] = std::byte{1};
    std::memcpy(block + bytes - detail::edge_bytes, &tail, detail::edge_bytes);
}

/// @brief Whether both ends still carry the pattern.
[[nodiscard]] inline bool edges_intact(const std::byte* block, std::uint64_t bytes,
                                       std::uint64_t pattern) noexcept {
    if (bytes < detail::edge_bytes)
        return std::memcmp(block, &pattern, bytes) == 0;
    std::uint64_t head = 0;
    std::uint64_t tail = 0;
    std::memcpy(&head, block, detail::edge_bytes);
    std::memcpy(&tail, block + bytes - detail::edge_bytes, detail::edge_bytes);
    return ((head ^ pattern) | (tail ^ detail::tail_pattern(pattern, bytes))) == 0;
}

} // namespace palloc::bench
