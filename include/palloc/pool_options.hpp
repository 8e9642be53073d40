// SPDX-License-Identifier: MIT
/// @file
/// @brief What a pool is told at run time: name, growth, limits, and what misuse should lead to.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/concepts/observer.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/range.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace palloc::inline v0 {

/// @brief A caller's mistake: what, where, in which pool. The pool has changed nothing, unless a
/// concurrent bitmap without block marks could only tell afterwards.
struct misuse {
    errc what;
    range where;
    std::string_view pool;
};

/// @brief Says on stderr what was wrong, and aborts.
[[noreturn]] inline void abort_on_misuse(void*, const misuse& wrong) noexcept {
    const std::string_view what = to_string(wrong.what);
    std::fprintf(stderr, "palloc: %.*s: %llu bytes at 0x%llx of pool '%.*s'\n",
                 static_cast<int>(what.size()), what.data(),
                 static_cast<unsigned long long>(wrong.where.bytes),
                 static_cast<unsigned long long>(wrong.where.base),
                 static_cast<int>(wrong.pool.size()), wrong.pool.data());
    std::abort();
}

/// @brief Lets the call answer with its error; the pool counts.
inline void count_misuse(void*, const misuse&) noexcept {}

/// @brief What misuse leads to: any function. If it returns, the call answers with the error.
struct misuse_policy {
    void (*handler)(void* context, const misuse&) noexcept = abort_on_misuse;
    void* context = nullptr;
};

/// @brief How a pool over a mapping backing grows when it has no room.
struct growth_policy {
    std::uint64_t step_bytes = 0;    ///< size of the next chunk at least; 0: the pool never grows
    std::uint64_t largest_bytes = 0; ///< step doubles with every chunk up to here

    /// @brief Only `grow` and `add` bring chunks.
    [[nodiscard]] static constexpr growth_policy fixed() noexcept { return {}; }
    /// @brief Chunks of `bytes`, or of the request where that is more.
    [[nodiscard]] static constexpr growth_policy refill(std::uint64_t bytes) noexcept {
        return {bytes, bytes};
    }
    /// @brief Chunks of `first`, twice that, … up to `largest`.
    [[nodiscard]] static constexpr growth_policy geometric(std::uint64_t first,
                                                           std::uint64_t largest) noexcept {
        return {first, largest};
    }
};

/// @brief The run-time facts of a pool; all have defaults.
struct pool_options {
    std::string_view name = {}; ///< not copied
    growth_policy growth = {};
    std::uint64_t cap_bytes = ~std::uint64_t{0}; ///< over all chunks
    range within = anywhere;                     ///< where chunks may lie
    std::uint64_t chunk_alignment = 1;           ///< of the bases of chunks that the pool maps
    bool gives_back_empty_chunks = false; ///< all but one, at once; exclusive mapping pools only
    bool takes_any_chunk = false;         ///< empty ones, and ones that overlap; see `chunk_table`
    numa_node node = any_node;
    misuse_policy on_misuse = {};
    metadata_ref metadata = standard_metadata();
    std::optional<metadata_ref> maps = {}; ///< where bitmaps live, if elsewhere: a shared segment
};

/// @brief Why a request fails now, and by how much.
struct explanation {
    errc why{}; ///< the error that `allocate` would answer
    event::shortage cause = event::shortage::none;
    std::uint64_t needed_bytes = 0;      ///< in whole granules
    std::uint64_t free_bytes = 0;        ///< in granules, over all chunks
    std::uint64_t largest_run_bytes = 0; ///< the longest free run, whatever its alignment
    std::uint64_t cap_left_bytes = 0;    ///< what the caps of pool and backing let it still map
    std::uint64_t missing_bytes = 0;     ///< by how much the request was too large

    /// @brief Whether the request would succeed.
    [[nodiscard]] constexpr bool possible() const noexcept { return why == errc{}; }
};

} // namespace palloc::inline v0
