// SPDX-License-Identifier: MIT
/// @file
/// @brief What a perm_alloc is told, and what it tells.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pool_options.hpp>

#include <cstdint>
#include <string_view>

namespace palloc::inline v0 {

/// @brief When memory that was given back is wiped: code with trapping instructions, data with
/// zeros. Nobody ever gets it before.
enum class wiping : std::uint8_t {
    at_once,      ///< before `free` returns
    before_reuse, ///< when it is handed out again; until then what was freed can still be executed
};

/// @brief The run-time facts of a perm_alloc; all have defaults.
struct perm_options {
    std::string_view name = {};
    std::uint64_t arena_bytes = std::uint64_t{2} << 20;   ///< of one permission, for many blocks
    std::uint64_t largest_arena = std::uint64_t{8} << 20; ///< each is twice the last, up to this
    std::uint64_t cap_bytes = ~std::uint64_t{0};          ///< over all arenas
    range within = anywhere;                              ///< for requests that name no range
    strength require = strength::none; ///< refuse to work where no more than less can be had
    wiping wipes = wiping::at_once;
    bool gives_back_empty_arenas = false; ///< all but one, in a free that empties one
    misuse_policy on_misuse = {};
    metadata_ref metadata = standard_metadata();
};

/// @brief What is asked for.
struct perm_request {
    range within = anywhere; ///< all of the block lies inside
    std::uint64_t bytes = 0; ///< rounded up to 64, or to pages where it owns them
    permissions allowed = permissions::read_execute;
    std::uint64_t alignment = 1; ///< a power of two
    bool owns_pages = false;     ///< nobody else's bytes on them: then `change` can change them
    bool deferred = false;       ///< owns its pages, and cannot be accessed before a commit
};

/// @brief Why a request fails now, and how much room there was.
struct perm_explanation : explanation {
    std::uint64_t largest_gap_bytes = 0; ///< of addresses in the range that nobody has mapped
};

/// @brief What has been done so far.
struct perm_statistics {
    std::uint64_t commits = 0;            ///< edits, and direct writes, that were made live
    std::uint64_t permission_changes = 0; ///< that commits took
    std::uint64_t changes_avoided = 0;    ///< that they would have taken without a second view
    std::uint64_t synchronisations = 0;   ///< of the cores
};

/// @brief The addresses from which, and to which, a signed 32-bit displacement reaches `place`.
[[nodiscard]] constexpr range within_reach_of(address place) noexcept {
    constexpr address reach = (address{1} << 31) - 64; // less the longest instruction, and more
    const address first = place < reach ? 0 : place - reach;
    const address last = place > ~address{0} - reach ? ~address{0} : place + reach;
    return {first, last - first};
}

} // namespace palloc::inline v0
