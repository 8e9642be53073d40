// SPDX-License-Identifier: MIT
// Two protections, as small as they can be, that ask everything of the concept that the named
// systems will ask. They are models in the conformance suite, and stand in for the real ones where
// a test is about the pool.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

namespace palloc::test {

/// An area can be written until it is closed, and is read-only and dead from then on.
struct closes_areas {
    static constexpr protection_needs needs = protection_needs::permissions;
    struct attributes {
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    struct area_state {
        bool closed = false;
    };

    template <class Backing>
    result<void> open_area(Backing&, typename Backing::region&, area_state&,
                           const attributes&) noexcept {
        return {};
    }
    template <class Backing>
    result<void> close_area(Backing& backing, typename Backing::region& region,
                            area_state& state) noexcept {
        state.closed = false;
        return backing.protect(region, backing.where(region), permissions::read_write);
    }
    [[nodiscard]] bool admits(const area_state& state, const attributes&) const noexcept {
        return !state.closed;
    }
    [[nodiscard]] release_action on_release(const area_state& state) const noexcept {
        return state.closed ? release_action::keep_dead : release_action::reuse;
    }
    [[nodiscard]] strength achieved(const area_state& state) const noexcept {
        return state.closed ? strength::read_only : strength::none;
    }
    template <class Backing>
    result<strength> protect(Backing& backing, typename Backing::region& region,
                             area_state& state) noexcept {
        if (!state.closed)
            if (const auto done = backing.protect(region, backing.where(region), permissions::read);
                !done)
                return tl::unexpected(done.error());
        state.closed = true;
        return strength::read_only;
    }
};

/// An area has one permission from birth; it is written through an alias that windows hand out.
struct one_permission_an_area {
    static constexpr protection_needs needs = protection_needs::two_views;
    struct attributes {
        permissions wanted = permissions::read_write;
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    struct area_state {
        permissions granted = permissions::none;
        address alias = 0;
    };
    struct window {
        range writable;
    };

    template <class Backing>
    result<void> open_area(Backing& backing, typename Backing::region& region, area_state& state,
                           const attributes& wished) noexcept {
        const auto alias = backing.open_alias(region);
        if (!alias)
            return tl::unexpected(alias.error());
        if (const auto replaced = backing.replace_view(region, wished.wanted); !replaced) {
            (void)backing.close_alias(region);
            return replaced;
        }
        state = {wished.wanted, *alias};
        return {};
    }
    template <class Backing>
    result<void> close_area(Backing& backing, typename Backing::region& region,
                            area_state&) noexcept {
        return backing.close_alias(region);
    }
    [[nodiscard]] bool admits(const area_state& state, const attributes& wished) const noexcept {
        return state.granted == wished.wanted;
    }
    [[nodiscard]] release_action on_release(const area_state&) const noexcept {
        return release_action::reuse;
    }
    [[nodiscard]] strength achieved(const area_state&) const noexcept {
        return strength::write_xor_execute;
    }
    template <class Backing>
    result<window> open_window(Backing& backing, typename Backing::region& region,
                               area_state& state, range part) noexcept {
        return window{{state.alias + (part.base - backing.where(region).base), part.bytes}};
    }
};

} // namespace palloc::test
