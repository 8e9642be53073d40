// SPDX-License-Identifier: MIT
/// @file
/// @brief What a pmalloc pool is told, and what it tells.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/pool_options.hpp>

#include <cstdint>
#include <string_view>

namespace palloc::inline v0 {

/// @brief What becomes of an area, and when. The names are those of the kernel's patches.
enum class pmalloc_mode : std::uint8_t {
    ro,       ///< written until `protect`, immutable afterwards
    wr,       ///< written until `protect`, through write-rare calls afterwards
    auto_ro,  ///< as `ro`, and an area is also protected when the next one is opened
    auto_wr,  ///< as `wr`, likewise
    start_wr, ///< written through write-rare calls only, from the start
};

[[nodiscard]] constexpr bool is_write_rare(pmalloc_mode mode) noexcept {
    return mode == pmalloc_mode::wr || mode == pmalloc_mode::auto_wr ||
           mode == pmalloc_mode::start_wr;
}
[[nodiscard]] constexpr bool is_automatic(pmalloc_mode mode) noexcept {
    return mode == pmalloc_mode::auto_ro || mode == pmalloc_mode::auto_wr;
}

/// @brief How a request is to be served. A set of flags.
enum class pmalloc_flags : std::uint8_t {
    none = 0,
    must_not_map = 1, ///< from what is mapped already, or not at all
    insist = 2, ///< tried again until it succeeds, or the cap, or `must_not_map` where what is
                ///< mapped is full, says that it never will
};
[[nodiscard]] constexpr pmalloc_flags operator|(pmalloc_flags a, pmalloc_flags b) noexcept {
    return static_cast<pmalloc_flags>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool includes(pmalloc_flags set, pmalloc_flags flag) noexcept {
    return (static_cast<unsigned>(set) & static_cast<unsigned>(flag)) != 0;
}

/// @brief What a pool is made with.
struct pmalloc_options {
    std::string_view name = {};                  ///< copied; unique in the process
    pmalloc_mode mode = pmalloc_mode::ro;        ///
    unsigned granule_order = 3;                  ///< sizes are rounded up to 2^order bytes
    std::uint64_t alignment = 8;                 ///< of every block, at least; a power of two
    std::uint64_t refill_bytes = 0;              ///< size of an area at least; 0: a page
    std::uint64_t cap_bytes = ~std::uint64_t{0}; ///< over all areas
    bool protects_once = false; ///< after `protect` no request is served; else a fresh area is
    strength wanted =
        strength::sealed; ///< of modes `ro`; of `wr`, once made read-only, at most sealed
    demand insistence = demand::required; ///< where the machine cannot give it
    misuse_policy on_misuse = {};
};

/// @brief Where a pool stands.
enum class pmalloc_state : std::uint8_t {
    open,         ///< nothing is protected
    growing,      ///< some areas are protected, and the newest is not
    interrupted,  ///< protecting failed half-way: all data are intact; `protect` goes on from there
    is_protected, ///< everything is
};

/// @brief Whether a range is protected memory.
enum class ownership : std::uint8_t {
    no,        ///< no byte of it lies in an area
    yes,       ///< all of it lies in one area
    straddles, ///< it runs over the edge of an area
};

/// @brief Sums over the life of a pool. Bytes are those of whole granules.
struct pmalloc_statistics {
    std::uint64_t allocated_bytes = 0; ///< not given back
    std::uint64_t allocated_blocks = 0;
    std::uint64_t peak_bytes = 0;
    std::uint64_t dead_bytes = 0; ///< given back after protection: lost until the pool ends
    std::uint64_t dead_blocks = 0;
    std::uint64_t mapped_bytes = 0; ///< of all areas
    std::uint64_t areas = 0;
};

/// @brief Which block an address lies in, as a report tells it.
struct pmalloc_place {
    std::string_view pool;
    strength achieved = strength::none;
    std::uint64_t block = 0;       ///< the how-manieth of the pool, from 0, by area and address
    std::uint64_t offset = 0;      ///< in the block, or in the area where there is none
    std::uint64_t block_bytes = 0; ///< 0: no block is there
};

} // namespace palloc::inline v0
