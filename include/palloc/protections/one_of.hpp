// SPDX-License-Identifier: MIT
/// @file
/// @brief One of several protections, chosen when the pool is made.
///
/// When to choose it: the protection is a setting of the program and not of its source. Costs: a
/// branch a call; an area remembers as much as all of them together. What the chosen one has not is
/// `not_supported` at run time, where the type alone would not compile.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/write_window.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace palloc::inline v0 {

/// @tparam Ps  none of whose requests say anything about protection; the first is the default
template <class... Ps>
    requires(std::is_empty_v<typename Ps::attributes> && ...)
class one_of {
  public:
    static constexpr protection_needs needs = (protection_needs::nothing | ... | Ps::needs);

    struct attributes {
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    /// @brief The state of the one that is chosen; those of the others stay fresh.
    struct area_state {
        std::tuple<typename Ps::area_state...> of;
    };
    using window = write_window;

    one_of() = default;
    template <class P>
        requires(std::same_as<std::remove_cvref_t<P>, Ps> || ...)
    // NOLINTNEXTLINE(google-explicit-constructor): one of them is one of them
    one_of(P&& chosen) noexcept : chosen_(std::forward<P>(chosen)) {}

    /// @brief Whether `P` was chosen.
    template <class P>
    [[nodiscard]] bool is() const noexcept {
        return std::holds_alternative<P>(chosen_);
    }

    template <backing_provider Backing>
    [[nodiscard]] result<void> open_area(Backing& backing, typename Backing::region& region,
                                         area_state& state, const attributes&) noexcept {
        return with(state, [&]<class P>(P& p, typename P::area_state& s) {
            return p.open_area(backing, region, s, typename P::attributes{});
        });
    }
    template <backing_provider Backing>
    [[nodiscard]] result<void> close_area(Backing& backing, typename Backing::region& region,
                                          area_state& state) noexcept {
        return with(state, [&](auto& p, auto& s) { return p.close_area(backing, region, s); });
    }
    [[nodiscard]] bool admits(const area_state& state, const attributes&) const noexcept {
        return with(state, []<class P>(const P& p, const typename P::area_state& s) {
            return p.admits(s, typename P::attributes{});
        });
    }
    [[nodiscard]] release_action on_release(const area_state& state) const noexcept {
        return with(state, [](auto& p, auto& s) { return p.on_release(s); });
    }
    [[nodiscard]] strength achieved(const area_state& state) const noexcept {
        return with(state, [](auto& p, auto& s) { return p.achieved(s); });
    }

    template <backing_provider Backing>
    [[nodiscard]] result<strength> protect(Backing& backing, typename Backing::region& region,
                                           area_state& state) noexcept
        requires(protection_can_close<Ps, Backing> && ...)
    {
        return with(state, [&](auto& p, auto& s) { return p.protect(backing, region, s); });
    }
    template <backing_provider Backing>
    [[nodiscard]] result<void> make_ready(Backing& backing, typename Backing::region& region,
                                          area_state& state) noexcept
        requires(protection_closes_in_two_steps<Ps, Backing> && ...)
    {
        return with(state, [&](auto& p, auto& s) { return p.make_ready(backing, region, s); });
    }
    template <backing_provider Backing>
    [[nodiscard]] result<void> take_back(Backing& backing, typename Backing::region& region,
                                         area_state& state) noexcept
        requires(protection_closes_in_two_steps<Ps, Backing> && ...)
    {
        return with(state, [&](auto& p, auto& s) { return p.take_back(backing, region, s); });
    }
    template <backing_provider Backing>
    [[nodiscard]] result<strength> end_writing(Backing& backing, typename Backing::region& region,
                                               area_state& state) noexcept
        requires(protection_can_end_writing<Ps, Backing> || ...)
    {
        return with(state, [&]<class P>(P& p, typename P::area_state& s) -> result<strength> {
            if constexpr (protection_can_end_writing<P, Backing>)
                return p.end_writing(backing, region, s);
            else
                return fail(errc::not_supported);
        });
    }
    template <backing_provider Backing>
    [[nodiscard]] result<window> open_window(Backing& backing, typename Backing::region& region,
                                             area_state& state, range part) noexcept
        requires(protection_opens_windows<Ps, Backing> || ...)
    {
        return with(state, [&]<class P>(P& p, typename P::area_state& s) -> result<window> {
            if constexpr (protection_opens_windows<P, Backing>)
                return p.open_window(backing, region, s, part);
            else
                return fail(errc::not_supported);
        });
    }
    template <backing_provider Backing>
    [[nodiscard]] result<void> store(Backing& backing, typename Backing::region& region,
                                     area_state& state, address place,
                                     std::span<const std::byte> bytes) noexcept
        requires(protection_can_store<Ps, Backing> || ...)
    {
        return with(state, [&]<class P>(P& p, typename P::area_state& s) -> result<void> {
            if constexpr (protection_can_store<P, Backing>)
                return p.store(backing, region, s, place, bytes);
            else
                return fail(errc::not_supported);
        });
    }

  private:
    /// Calls `f(protection, its state)`.
    template <class State, class F>
    [[nodiscard]] decltype(auto) with(State& state, F&& f) noexcept {
        return pick(chosen_, state, f, std::integral_constant<std::size_t, 0>{});
    }
    template <class State, class F>
    [[nodiscard]] decltype(auto) with(State& state, F&& f) const noexcept {
        return pick(chosen_, state, f, std::integral_constant<std::size_t, 0>{});
    }
    template <class Chosen, class State, class F, std::size_t I>
    [[nodiscard]] static decltype(auto) pick(Chosen& chosen, State& state, F& f,
                                             std::integral_constant<std::size_t, I>) noexcept {
        if constexpr (I + 1 != sizeof...(Ps))
            if (chosen.index() != I)
                return pick(chosen, state, f, std::integral_constant<std::size_t, I + 1>{});
        return f(*std::get_if<I>(&chosen), std::get<I>(state.of));
    }

    std::variant<Ps...> chosen_;
};

} // namespace palloc::inline v0
