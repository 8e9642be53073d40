// SPDX-License-Identifier: MIT
/// @file
/// @brief The ladder that `sealed` and `permanent` climb: writable, read-only, sealed, permanent.
///
/// Each rung is one call of the backing. Up to read-only the way leads back; a seal is for good.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>

#include <cstdint>

namespace palloc::inline v0::detail {

enum class rung : std::uint8_t { writable, read_only, sealed, permanent };

/// @tparam Top  as far as the policy goes
template <rung Top>
class seal_ladder {
  public:
    struct attributes {
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    /// @brief Where an area stands. Between read-only and the top it was interrupted there: its
    /// contents are safe, and protecting it again goes on.
    struct area_state {
        rung reached = rung::writable;
    };

    constexpr explicit seal_ladder(demand insistence) noexcept : insistence_(insistence) {}

    template <backing_provider Backing>
    [[nodiscard]] static result<void> open_area(Backing&, typename Backing::region&, area_state&,
                                                const attributes&) noexcept {
        return {};
    }
    /// @brief Nothing has to be undone before the region is unmapped; a permanent one never is.
    template <backing_provider Backing>
    [[nodiscard]] static result<void> close_area(Backing& backing, typename Backing::region& region,
                                                 area_state& state) noexcept {
        return take_back(backing, region, state);
    }

    [[nodiscard]] static bool admits(const area_state& state, const attributes&) noexcept {
        return state.reached == rung::writable;
    }
    [[nodiscard]] static release_action on_release(const area_state& state) noexcept {
        return state.reached == rung::writable ? release_action::reuse : release_action::keep_dead;
    }
    [[nodiscard]] static strength achieved(const area_state& state) noexcept {
        switch (state.reached) {
        case rung::writable:
            break;
        case rung::read_only:
            return strength::read_only;
        case rung::sealed:
            return strength::sealed;
        case rung::permanent:
            return strength::permanent;
        }
        return strength::none;
    }

    /// @brief Goes up as far as the policy and the machine go. On an area that stopped half-way it
    /// goes on from there.
    /// @par Errors  those of the backing, where the demand is `required`. An area that was not
    ///   sealed is writable again; one that was is at the rung it reached.
    template <backing_can_seal Backing>
    [[nodiscard]] result<strength> protect(Backing& backing, typename Backing::region& region,
                                           area_state& state) noexcept {
        if (const auto ready = make_ready(backing, region, state); !ready)
            return tl::unexpected(ready.error());
        if (state.reached == rung::read_only) {
            if (const auto done = backing.seal(region); done)
                state.reached = rung::sealed;
            else if (insistence_ == demand::required)
                return give_up(backing, region, state, done.error());
        }
        if constexpr (Top == rung::permanent)
            if (state.reached == rung::sealed) {
                if (const auto done = backing.make_permanent(region); done)
                    state.reached = rung::permanent;
                else if (insistence_ == demand::required)
                    return tl::unexpected(done.error());
            }
        return achieved(state);
    }

    template <backing_can_seal Backing>
    [[nodiscard]] result<void> make_ready(Backing& backing, typename Backing::region& region,
                                          area_state& state) noexcept {
        if (state.reached != rung::writable)
            return {};
        auto done = backing.replace_view(region, permissions::read);
        // A seal does not get past a view that was made for writing, but stores fault.
        if constexpr (backing_can_change_permissions<Backing>)
            if (!done && insistence_ == demand::best_effort)
                done = backing.protect(region, backing.where(region), permissions::read);
        if (done)
            state.reached = rung::read_only;
        return done;
    }
    template <backing_can_seal Backing>
    [[nodiscard]] static result<void> take_back(Backing& backing, typename Backing::region& region,
                                                area_state& state) noexcept {
        if (state.reached != rung::read_only)
            return {};
        auto done = backing.replace_view(region, permissions::read_write);
        if (done)
            state.reached = rung::writable;
        return done;
    }

  private:
    template <class Backing>
    [[nodiscard]] static result<strength> give_up(Backing& backing,
                                                  typename Backing::region& region,
                                                  area_state& state, error why) noexcept {
        (void)take_back(backing, region, state); // else it stays read-only, and can be sealed later
        return tl::unexpected(why);
    }

    demand insistence_;
};

} // namespace palloc::inline v0::detail
