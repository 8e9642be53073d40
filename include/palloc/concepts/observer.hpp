// SPDX-License-Identifier: MIT
/// @file
/// @brief Concepts: who is told what a pool does.
///
/// | expression | meaning                                                                 |
/// |------------|-------------------------------------------------------------------------|
/// | `o.on(e)`  | told of an event: after a claim, before a release, after anything else  |
///
/// An observer must not call the pool. One that claims `is_concurrent` may be told by several
/// threads at once. No observer costs nothing. Minimal model: `archetypes::observer`.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <concepts>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief What happened in a pool.
struct event {
    enum class kind : std::uint8_t {
        allocate,     ///< a block was claimed: `where`
        release,      ///< a block is about to be given back: `where`
        resize,       ///< a block was resized in place: `where` as it is now, `asked` as it was
        fail,         ///< a request was refused: `why`, `cause`, `asked`
        add_chunk,    ///< a chunk was added: `where`
        remove_chunk, ///< a chunk was removed: `where`
        protect,      ///< a chunk was protected: `where`
        reset,        ///< every block was dropped
        discard,      ///< the memory behind free granules went back to the system: `where`
        open_window,  ///< `where` may be written; `asked`: permission changes that this takes
    };
    /// @brief Why there was no room.
    enum class shortage : std::uint8_t {
        none,       ///< not for lack of room
        full,       ///< fewer granules free than asked for
        fragmented, ///< enough granules free, no run of them long enough
    };

    kind what;
    errc why{};
    shortage cause = shortage::none;
    range where{};               ///< in whole granules
    std::uint64_t asked = 0;     ///< bytes, as the caller said
    std::uint64_t alignment = 1; ///< of a request, as the caller said
};

template <class O>
concept pool_observer = std::move_constructible<O> && requires(O& o, const event& e) {
    { o.on(e) } noexcept -> std::same_as<void>;
};

template <class O>
concept concurrent_observer = pool_observer<O> && requires { requires O::is_concurrent; };

} // namespace palloc::inline v0
