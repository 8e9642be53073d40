// SPDX-License-Identifier: MIT
/// @file
/// @brief No protection.
///
/// When to choose it: the memory is to stay as the backing gives it. Costs: nothing, neither time
/// nor storage.
#pragma once

#include <palloc/concepts/archetypes.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>

namespace palloc::inline v0 {

/// @brief Admits every request everywhere, reuses what is released, and claims no strength.
struct unprotected {
    static constexpr protection_needs needs = protection_needs::nothing;

    /// @brief A request has nothing to say about protection.
    struct attributes {
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    /// @brief Nothing is remembered of an area.
    struct area_state {};

    template <backing_provider Backing>
    [[nodiscard]] static constexpr result<void> open_area(Backing&, typename Backing::region&,
                                                          area_state&, const attributes&) noexcept {
        return {};
    }
    template <backing_provider Backing>
    [[nodiscard]] static constexpr result<void> close_area(Backing&, typename Backing::region&,
                                                           area_state&) noexcept {
        return {};
    }
    [[nodiscard]] static constexpr bool admits(const area_state&, const attributes&) noexcept {
        return true;
    }
    [[nodiscard]] static constexpr release_action on_release(const area_state&) noexcept {
        return release_action::reuse;
    }
    [[nodiscard]] static constexpr strength achieved(const area_state&) noexcept {
        return strength::none;
    }
};

static_assert(protection_for<unprotected, archetypes::backing_provider>);
static_assert(stateless_protection<unprotected>);

} // namespace palloc::inline v0
