// SPDX-License-Identifier: MIT
/// @file
/// @brief Concepts: where chunks come from.
///
/// A backing gives *regions*, opaque to the pool: whatever it must remember about one (a
/// descriptor, a second view, a physical address, an owner) lives there and costs other backings
/// nothing.
///
/// | expression         | type            | meaning                                               |
/// |--------------------|-----------------|-------------------------------------------------------|
/// | `B::region`        | movable         | what the backing remembers of one region              |
/// | `b.page_bytes()`   | `std::size_t`   | sizes and alignments it works in                      |
/// | `b.where(region)`  | `range`         | its addresses                                         |
/// | `b.unmap(region)`  | `result<void>`  | ends it; a failure leaves it as it was                |
///
/// The base concept is what somebody else's memory can honestly do; all else is a refinement, found
/// by presence. A backing never has a member that always fails.
/// Minimal model: `archetypes::backing_provider`. Not promised: that memory may be touched.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief What a pool asks of a backing that can map.
struct map_request {
    std::uint64_t bytes = 0;     ///< rounded up to whole pages by the backing
    std::uint64_t alignment = 1; ///< of the region's base; a power of two
    range within = anywhere;     ///< the region lies wholly inside
    numa_node node = any_node;
};

template <class B>
concept backing_provider =
    std::move_constructible<B> && requires { typename B::region; } &&
    std::move_constructible<typename B::region> &&
    requires(B& b, const B& c, typename B::region& region, const typename B::region& looked_at) {
        { c.page_bytes() } noexcept -> std::same_as<std::size_t>;
        { c.where(looked_at) } noexcept -> std::same_as<range>;
        { b.unmap(region) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Makes regions itself. Memory fresh from the system is zeroed; what another pool had
/// before is not.
template <class B>
concept backing_can_map = backing_provider<B> && requires(B& b, const map_request& q) {
    { b.map(q) } noexcept -> std::same_as<result<typename B::region>>;
};

/// @brief Has a cap, and tells how many bytes it would still map, pages counted whole.
template <class B>
concept backing_tells_what_is_left = backing_provider<B> && requires(const B& b) {
    { b.left_bytes() } noexcept -> std::same_as<std::uint64_t>;
};

/// @brief Takes over regions that somebody else made, described by a `B::adoption`.
template <class B>
concept backing_can_adopt = backing_provider<B> && requires(B& b, typename B::adoption given) {
    { b.adopt(std::move(given)) } noexcept -> std::same_as<result<typename B::region>>;
};

/// @brief Its memory may be read and written by this process at its own addresses.
template <class B>
concept memory_may_be_touched = backing_provider<B> && requires { requires B::is_touchable; };

template <class B>
concept backing_knows_physical_addresses =
    backing_provider<B> && requires(const B& b, const typename B::region& region, address place) {
        { b.physical(region, place) } noexcept -> std::same_as<result<address>>;
    };

template <class B>
concept backing_knows_owners =
    backing_provider<B> && requires(const B& b, const typename B::region& region) {
        { b.owner(region) } noexcept -> std::same_as<void*>;
    };

template <class B>
concept backing_can_change_permissions =
    backing_provider<B> &&
    requires(B& b, typename B::region& region, range part, permissions allowed) {
        { b.protect(region, part, allowed) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Shows the same memory twice: a writable alias elsewhere, and a view that can be replaced
/// in place, at the same addresses, with other permissions.
template <class B>
concept backing_has_two_views =
    backing_provider<B> && requires(B& b, typename B::region& region, permissions allowed) {
        { b.open_alias(region) } noexcept -> std::same_as<result<address>>;
        { b.close_alias(region) } noexcept -> std::same_as<result<void>>;
        { b.replace_view(region, allowed) } noexcept -> std::same_as<result<void>>;
    };

/// @brief The same for some pages only. This is another mapping, not another permission of the old
/// one, so that systems allow it which forbid to make memory executable that was writable.
template <class B>
concept backing_replaces_parts_of_views =
    backing_has_two_views<B> &&
    requires(B& b, typename B::region& region, range part, permissions allowed) {
        { b.replace_view(region, part, allowed) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Can see to it that nobody writes but through the views that there are.
template <class B>
concept backing_can_forbid_writers =
    backing_has_two_views<B> && requires(B& b, typename B::region& region) {
        { b.forbid_other_writers(region) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Can have the memory behind a part of the open alias there at once, for less than page by
/// page as it is written. Advice: what cannot be had comes on demand, and no byte changes.
template <class B>
concept backing_can_populate =
    backing_has_two_views<B> && requires(B& b, typename B::region& region, range part) {
        { b.populate(region, part) } noexcept -> std::same_as<void>;
    };

/// @brief Makes it impossible, for good, that the memory is written again.
template <class B>
concept backing_can_seal = backing_has_two_views<B> && requires(B& b, typename B::region& region) {
    { b.seal(region) } noexcept -> std::same_as<result<void>>;
};

/// @brief Lets nobody unmap, replace or change a mapping before the process ends.
template <class B>
concept backing_can_make_permanent =
    backing_provider<B> && requires(B& b, typename B::region& region) {
        { b.make_permanent(region) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Shows a part of a region at addresses of its own, to be written there for a while. Any
/// number of such views may be open, and any thread may open one.
template <class B>
concept backing_can_open_parts =
    backing_provider<B> && requires(B& b, typename B::region& region, range part) {
        { b.open_part(region, part) } noexcept -> std::same_as<result<address>>;
        { b.close_part(region, part) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Writes bytes into a region while no view of it is writable.
template <class B>
concept backing_can_store =
    backing_provider<B> &&
    requires(B& b, typename B::region& region, address place, std::span<const std::byte> bytes) {
        { b.store(region, place, bytes) } noexcept -> std::same_as<result<void>>;
    };

/// @brief One of the views that a region has.
enum class view : std::uint8_t { main, alias };

/// @brief Puts a view under a protection key: it stays mapped, but only a thread that has opened
/// the lock stores through it. Loads through the main view need no open lock.
///
/// `lock` and `unlock` change the view; `open_lock` and `close_lock` nest: the last to close shuts
/// it. Threads start with the rights of the one that starts them. What a machine without keys
/// answers to `lock` is an error.
template <class B>
concept backing_has_keys =
    backing_provider<B> && requires(B& b, typename B::region& region, view which) {
        { b.lock(region, which) } noexcept -> std::same_as<result<void>>;
        { b.unlock(region, which) } noexcept -> std::same_as<result<void>>;
        { b.open_lock(region, which) } noexcept -> std::same_as<void>;
        { b.close_lock(region, which) } noexcept -> std::same_as<void>;
    };

/// @brief Address space first, pages later: the pool commits what it hands out, and decommits what
/// it gets back. Absence means that pages come on demand.
template <class B>
concept backing_can_commit =
    backing_provider<B> && requires(B& b, typename B::region& region, range part) {
        { b.commit(region, part) } noexcept -> std::same_as<result<void>>;
        { b.decommit(region, part) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Can be told to leave what the system knows of a region's pages (their node) as it is when
/// it decommits them.
template <class B>
concept backing_can_keep_mappings =
    backing_can_commit<B> && requires(B& b, typename B::region& region) {
        { b.keep_mappings(region) } noexcept -> std::same_as<void>;
    };

/// @brief Moves committed pages to other addresses, contents and all, without touching them.
template <class B>
concept backing_can_move_pages =
    backing_can_commit<B> &&
    requires(B& b, typename B::region& from, range part, typename B::region& to, address place) {
        { b.move_pages(from, part, to, place) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Gives the memory behind pages back to the system. They stay usable, and read as zero.
template <class B>
concept backing_can_discard =
    backing_provider<B> && requires(B& b, typename B::region& region, range part) {
        { b.discard(region, part) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Has regions whose pages are larger than `page_bytes()`. Memory is given back in those.
template <class B>
concept backing_tells_page_sizes =
    backing_provider<B> && requires(const B& b, const typename B::region& region) {
        { b.page_bytes(region) } noexcept -> std::same_as<std::size_t>;
    };

/// @brief Says, and sees to it, what a child of fork finds of its memory.
template <class B>
concept backing_states_fork_treatment = backing_provider<B> && requires(const B& b) {
    { b.in_child() } noexcept -> std::same_as<fork_treatment>;
};

/// @brief Its per-block calls (commit, decommit) may come from several threads at once.
template <class B>
concept concurrent_backing =
    backing_provider<B> && (!backing_can_commit<B> || requires { requires B::is_concurrent; });

/// @brief `B::adoption` where there is one. (A member's signature is read before its
/// requires-clause.)
template <class B>
struct adoption_of {
    struct none {
        none() = delete;
    };
    using type = none;
};
template <backing_can_adopt B>
struct adoption_of<B> {
    using type = typename B::adoption;
};

} // namespace palloc::inline v0
