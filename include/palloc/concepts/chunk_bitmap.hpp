// SPDX-License-Identifier: MIT
/// @file
/// @brief Concepts: how the granules of a chunk are tracked.
///
/// A bitmap is a *view* over storage that the pool lends it, always outside the managed memory.
/// Zeroed storage is a chunk that is all free; storage that already holds a map is attached to, so
/// a second process can open a bitmap in a shared segment. 1 = allocated; bit 0 is the lowest
/// address.
///
/// | expression            | type                    | meaning                                            |
/// |-----------------------|-------------------------|----------------------------------------------------|
/// | `M(storage, n)`       |                         | a view of n granules; cannot fail                  |
/// | `M::storage_bytes(n)` | `std::size_t`           | bytes of storage for n granules                    |
/// | `m.size()`            | `std::size_t`           | n                                                  |
/// | `m.free_count()`      | `std::size_t`           | free granules, O(1) but where other processes die  |
/// | `m.test(i)`           | `bool`                  | whether granule i is allocated                     |
/// | `m.find_fit(q)`       | `optional<std::size_t>` | the lowest free legal position                     |
/// | `m.next_free_run(i)`  | `granule_run`           | the first free run from i on; count 0: none        |
/// | `m.claim(run)`        | `bool`                  | takes all of the run, or nothing                   |
/// | `m.release(run)`      | `std::size_t`           | gives it back; how many granules were free already |
/// | `m.reset()`           |                         | all free again                                     |
///
/// An exclusive bitmap changes nothing in a release that finds a free granule. A concurrent one can
/// only tell afterwards. Storage is aligned to `storage_alignment`. Runs passed in lie inside [0,
/// n) and are not empty.
///
/// Refinements, found by presence: without them the answer is the same, slower.
/// Minimal model: `archetypes::chunk_bitmap`. Not promised: that a bitmap can be copied, or that it
/// knows where blocks begin.
#pragma once

#include <palloc/core/placement.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace palloc::inline v0 {

/// @brief What lent storage is aligned to: a cache line.
inline constexpr std::size_t storage_alignment = 64;

template <class M>
concept chunk_bitmap =
    std::movable<M> && std::is_nothrow_constructible_v<M, std::byte*, std::size_t> &&
    requires(M& m, const M& c, std::size_t n, granule_run run, const placement& q) {
        { M::storage_bytes(n) } noexcept -> std::same_as<std::size_t>;
        { c.size() } noexcept -> std::same_as<std::size_t>;
        { c.free_count() } noexcept -> std::same_as<std::size_t>;
        { c.test(n) } noexcept -> std::same_as<bool>;
        { c.find_fit(q) } noexcept -> std::same_as<std::optional<std::size_t>>;
        { c.next_free_run(n) } noexcept -> std::same_as<granule_run>;
        { m.claim(run) } noexcept -> std::same_as<bool>;
        { m.release(run) } noexcept -> std::same_as<std::size_t>;
        { m.reset() } noexcept -> std::same_as<void>;
    };

/// @brief May be searched, claimed from and released to by any number of threads and signal
/// handlers.
///
/// `settled()` counts the changes that may have made room so far, and is empty while one of them is
/// half done: a search that failed between two equal answers saw one moment, and may say "full".
template <class M>
concept concurrent_bitmap = chunk_bitmap<M> && requires(const M& c) {
    requires M::is_concurrent;
    { c.settled() } noexcept -> std::same_as<std::optional<std::uint64_t>>;
};

/// @brief Its storage is shared by processes, each with a pool of its own over it: what is in use
/// may be another's, and room is made that this process's pool does not hear of. `self()` is this
/// process's number, from 1 on.
template <class M>
concept bitmap_is_shared_by_processes = concurrent_bitmap<M> && requires(const M& c) {
    requires M::is_shared_by_processes;
    { c.self() } noexcept -> std::convertible_to<std::uint32_t>;
};

/// @brief Knows where blocks begin and end, so that a free needs no size.
///
/// `block_at(i)` is the block that granule i belongs to; `release_block(i)` gives back the block
/// that begins at i and answers its length, 0 if none begins there; `abandon_block(i)` keeps its
/// granules used, though by no block, and answers whether one began there; `resize(block, n)` moves
/// its end, and answers false, changing nothing, where the granules behind it are not free.
template <class M>
concept bitmap_knows_blocks =
    chunk_bitmap<M> && requires(M& m, const M& c, std::size_t n, granule_run block) {
        { c.block_at(n) } noexcept -> std::same_as<std::optional<granule_run>>;
        { m.release_block(n) } noexcept -> std::same_as<std::size_t>;
        { m.abandon_block(n) } noexcept -> std::same_as<bool>;
        { m.resize(block, n) } noexcept -> std::same_as<bool>;
    };

/// @brief Tells in one step whether a run is exactly a block; `release_exactly` gives it back if it
/// is, and else changes nothing.
template <class M>
concept bitmap_checks_blocks =
    bitmap_knows_blocks<M> && requires(M& m, const M& c, granule_run run) {
        { c.is_block(run) } noexcept -> std::same_as<bool>;
        { m.release_exactly(run) } noexcept -> std::same_as<bool>;
    };

/// @brief Finds the lowest of the smallest free runs that hold a legal position, in one step.
template <class M>
concept bitmap_finds_best = chunk_bitmap<M> && requires(const M& c, const placement& q) {
    { c.find_best(q) } noexcept -> std::same_as<std::optional<std::size_t>>;
};

/// @brief Knows its longest free run, the lowest of equals; count 0 when full.
template <class M>
concept bitmap_knows_longest = chunk_bitmap<M> && requires(const M& c) {
    { c.longest_free_run() } noexcept -> std::same_as<granule_run>;
};

/// @brief Claims what `find_fit` would find, in one step.
template <class M>
concept bitmap_claims_lowest = chunk_bitmap<M> && requires(M& m, const placement& q) {
    { m.claim_lowest(q) } noexcept -> std::same_as<std::optional<std::size_t>>;
};

} // namespace palloc::inline v0
