// SPDX-License-Identifier: MIT
/// @file
/// @brief Areas that are written until they are protected, and read-only from then on.
///
/// When to choose it: against stray stores, where the memory is to be destroyed later, or where
/// nothing stronger is to be had. It stops stores and nothing else: whoever can make a system call
/// undoes it (docs/pmalloc.md has the table). Costs: a system call an area to protect; a byte an
/// area.
#pragma once

#include <palloc/concepts/archetypes.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>

namespace palloc::inline v0 {

/// @brief Takes the permission to write away, through every view that there is.
struct read_only {
    static constexpr protection_needs needs = protection_needs::permissions;

    /// @brief A request has nothing to say about protection.
    struct attributes {
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    struct area_state {
        bool closed = false;
    };

    template <backing_provider Backing>
    [[nodiscard]] static result<void> open_area(Backing&, typename Backing::region&, area_state&,
                                                const attributes&) noexcept {
        return {};
    }
    template <backing_can_change_permissions Backing>
    [[nodiscard]] static result<void> close_area(Backing& backing, typename Backing::region& region,
                                                 area_state& state) noexcept {
        return take_back(backing, region, state);
    }

    [[nodiscard]] static bool admits(const area_state& state, const attributes&) noexcept {
        return !state.closed;
    }
    [[nodiscard]] static release_action on_release(const area_state& state) noexcept {
        return state.closed ? release_action::keep_dead : release_action::reuse;
    }
    [[nodiscard]] static strength achieved(const area_state& state) noexcept {
        return state.closed ? strength::read_only : strength::none;
    }

    /// @brief Protects; what is protected stays so.
    /// @par Errors  the backing's; the area is as it was
    template <backing_can_change_permissions Backing>
    [[nodiscard]] static result<strength>
    protect(Backing& backing, typename Backing::region& region, area_state& state) noexcept {
        return make_ready(backing, region, state).map([] { return strength::read_only; });
    }
    template <backing_can_change_permissions Backing>
    [[nodiscard]] static result<void> make_ready(Backing& backing, typename Backing::region& region,
                                                 area_state& state) noexcept {
        return state.closed ? result<void>() : set(backing, region, state, true);
    }
    template <backing_can_change_permissions Backing>
    [[nodiscard]] static result<void> take_back(Backing& backing, typename Backing::region& region,
                                                area_state& state) noexcept {
        return state.closed ? set(backing, region, state, false) : result<void>();
    }

  private:
    template <class Backing>
    [[nodiscard]] static result<void> set(Backing& backing, typename Backing::region& region,
                                          area_state& state, bool closed) noexcept {
        auto done = backing.protect(region, backing.where(region),
                                    closed ? permissions::read : permissions::read_write);
        if (done)
            state.closed = closed;
        return done;
    }
};

} // namespace palloc::inline v0
