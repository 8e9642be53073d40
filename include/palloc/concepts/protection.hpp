// SPDX-License-Identifier: MIT
/// @file
/// @brief Concepts: what may be done to the memory, and when.
///
/// The unit of protection is a chunk, here called an *area*; the policy keeps its state for each.
///
/// | expression                | type                  | meaning                                      |
/// |---------------------------|-----------------------|----------------------------------------------|
/// | `P::needs`                | `protection_needs`    | what it demands of the backing               |
/// | `P::attributes`           | regular               | what a request may say about protection      |
/// | `P::area_state`           | default-constructible | what the policy remembers of an area         |
/// | `p.open_area(b, r, s, a)` | `result<void>`        | a fresh region gets its first state          |
/// | `p.close_area(b, r, s)`   | `result<void>`        | before the region is unmapped                |
/// | `p.admits(s, a)`          | `bool`                | may a block with attributes a live here now? |
/// | `p.on_release(s)`         | `release_action`      | is a freed block reused, or dead for good?   |
/// | `p.achieved(s)`           | `strength`            | what really holds, not what was wished for   |
///
/// What a policy claims in `needs` implies a concept of the backing; each such rule is a concept
/// whose name is the sentence, and they are checked first, so that they are what the user reads.
/// Minimal model: `archetypes::protection`. Not promised: that protection can be undone.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace palloc::inline v0 {

/// @brief How well an area is protected, weakest first.
enum class strength : std::uint8_t {
    none,              ///< writable
    guarded,           ///< stray stores of well-meaning threads fault; no more is claimed
    read_only,         ///< stray stores fault; a call of the process can undo it
    sealed,            ///< the kernel refuses every write; the area can be destroyed or replaced
    permanent,         ///< sealed, and neither destroyed nor replaced before the process ends
    write_or_execute,  ///< never both at once, but code is not executable while it is written
    write_xor_execute, ///< no view is writable and executable at once
};

/// @brief What a policy does where the machine cannot give what it asks for: fails, or takes the
/// next weaker thing on its ladder. The strength achieved is told either way.
enum class demand : std::uint8_t { required, best_effort };

/// @brief What becomes of a block that is given back.
enum class release_action : std::uint8_t { reuse, keep_dead };

/// @brief What a protection demands of the backing. A set of flags.
enum class protection_needs : unsigned {
    nothing = 0,
    permissions = 1,
    two_views = 2,
    seal = 4,
    permanence = 8,
    parts = 16,
    keys = 32,
    two_views_or_permissions = 64, ///< either will do; the first is stronger
};

[[nodiscard]] constexpr protection_needs operator|(protection_needs a,
                                                   protection_needs b) noexcept {
    return static_cast<protection_needs>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool includes(protection_needs set, protection_needs flag) noexcept {
    return (static_cast<unsigned>(set) & static_cast<unsigned>(flag)) != 0;
}

template <class P, class B>
concept protection_needs_a_backing_that_can_seal =
    !includes(P::needs, protection_needs::seal) || backing_can_seal<B>;
template <class P, class B>
concept protection_needs_a_backing_with_two_views =
    !includes(P::needs, protection_needs::two_views) || backing_has_two_views<B>;
template <class P, class B>
concept protection_needs_a_backing_that_can_change_permissions =
    !includes(P::needs, protection_needs::permissions) || backing_can_change_permissions<B>;
template <class P, class B>
concept protection_needs_a_backing_with_two_views_or_changing_permissions =
    !includes(P::needs, protection_needs::two_views_or_permissions) || backing_has_two_views<B> ||
    backing_can_change_permissions<B>;

template <class P, class B>
concept protection_needs_a_backing_that_can_make_permanent =
    !includes(P::needs, protection_needs::permanence) || backing_can_make_permanent<B>;
template <class P, class B>
concept protection_needs_a_backing_that_can_open_parts =
    !includes(P::needs, protection_needs::parts) || backing_can_open_parts<B>;
template <class P, class B>
concept protection_needs_a_backing_with_keys =
    !includes(P::needs, protection_needs::keys) || backing_has_keys<B>;

template <class P, class B>
concept protection_for =
    backing_provider<B> && protection_needs_a_backing_that_can_seal<P, B> &&
    protection_needs_a_backing_with_two_views<P, B> &&
    protection_needs_a_backing_that_can_change_permissions<P, B> &&
    protection_needs_a_backing_with_two_views_or_changing_permissions<P, B> &&
    protection_needs_a_backing_that_can_make_permanent<P, B> &&
    protection_needs_a_backing_that_can_open_parts<P, B> &&
    protection_needs_a_backing_with_keys<P, B> && std::move_constructible<P> &&
    requires {
        typename P::attributes;
        typename P::area_state;
    } && std::default_initializable<typename P::area_state> &&
    std::regular<typename P::attributes> &&
    requires(P& p, const P& c, B& b, typename B::region& region, typename P::area_state& state,
             const typename P::area_state& looked_at, const typename P::attributes& wished) {
        { p.open_area(b, region, state, wished) } noexcept -> std::same_as<result<void>>;
        { p.close_area(b, region, state) } noexcept -> std::same_as<result<void>>;
        { c.admits(looked_at, wished) } noexcept -> std::same_as<bool>;
        { c.on_release(looked_at) } noexcept -> std::same_as<release_action>;
        { c.achieved(looked_at) } noexcept -> std::same_as<strength>;
    };

/// @brief Can be told to protect an area: `p.protect(b, region, state)` answers the strength
/// achieved.
template <class P, class B>
concept protection_can_close =
    protection_for<P, B> &&
    requires(P& p, B& b, typename B::region& region, typename P::area_state& state) {
        { p.protect(b, region, state) } noexcept -> std::same_as<result<strength>>;
    };

/// @brief Protects in two steps, so that the first can be taken for all areas of a pool, and be
/// taken back, before the second is taken for any: `p.make_ready` closes an area to stores,
/// `p.take_back` opens it again, `p.protect` does what is left. An area that cannot be opened again
/// stays closed, and may be protected later.
template <class P, class B>
concept protection_closes_in_two_steps =
    protection_can_close<P, B> &&
    requires(P& p, B& b, typename B::region& region, typename P::area_state& state) {
        { p.make_ready(b, region, state) } noexcept -> std::same_as<result<void>>;
        { p.take_back(b, region, state) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Can end all writing into an area that could still be written by the ways of the policy.
template <class P, class B>
concept protection_can_end_writing =
    protection_for<P, B> &&
    requires(P& p, B& b, typename B::region& region, typename P::area_state& state) {
        { p.end_writing(b, region, state) } noexcept -> std::same_as<result<strength>>;
    };

/// @brief Writes bytes into an area for the caller, in the cheapest way it has.
template <class P, class B>
concept protection_can_store =
    protection_for<P, B> &&
    requires(P& p, B& b, typename B::region& region, typename P::area_state& state, address place,
             std::span<const std::byte> bytes) {
        { p.store(b, region, state, place, bytes) } noexcept -> std::same_as<result<void>>;
    };

/// @brief Opens scoped write windows onto parts of an area.
template <class P, class B>
concept protection_opens_windows = protection_for<P, B> && requires {
    typename P::window;
} && requires(P& p, B& b, typename B::region& region, typename P::area_state& state, range part) {
    { p.open_window(b, region, state, part) } noexcept -> std::same_as<result<typename P::window>>;
};

/// @brief Keeps nothing per area, so that several threads may ask at once.
template <class P>
concept stateless_protection = std::is_empty_v<typename P::area_state>;

} // namespace palloc::inline v0
