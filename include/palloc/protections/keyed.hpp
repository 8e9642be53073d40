// SPDX-License-Identifier: MIT
/// @file
/// @brief Areas under a protection key: a thread opens and closes them for itself, without a system
/// call.
///
/// When to choose it: a guard against stray stores of well-meaning threads, for memory that is
/// written often. It is no protection against attackers (any code may open the key), and it has its
/// own exception: a thread that is older than the key, and every signal handler, may not even read;
/// a thread admits itself by `let_this_thread_read`. All memory under keys shares one: a window
/// opens the locks of all pools to its thread. Costs: a system call an area to protect; none a
/// window. The ladder: guarded (by key), read_only (without windows).
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/write_window.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief Puts the memory under a key that is closed for writing.
class keyed {
    enum class phase : std::uint8_t { writable, under_key, read_only };

  public:
    static constexpr protection_needs needs =
        protection_needs::keys | protection_needs::permissions;

    struct attributes {
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    struct area_state {
        phase reached = phase::writable;
    };
    using window = write_window;

    constexpr explicit keyed(demand insistence = demand::required) noexcept
        : insistence_(insistence) {}

    template <backing_provider Backing>
    [[nodiscard]] static result<void> open_area(Backing&, typename Backing::region&, area_state&,
                                                const attributes&) noexcept {
        return {};
    }
    template <backing_has_keys Backing>
    [[nodiscard]] static result<void> close_area(Backing& backing, typename Backing::region& region,
                                                 area_state& state) noexcept {
        return take_back(backing, region, state);
    }

    [[nodiscard]] static bool admits(const area_state& state, const attributes&) noexcept {
        return state.reached == phase::writable;
    }
    [[nodiscard]] static release_action on_release(const area_state& state) noexcept {
        return state.reached == phase::writable ? release_action::reuse : release_action::keep_dead;
    }
    [[nodiscard]] static strength achieved(const area_state& state) noexcept {
        return state.reached == phase::writable    ? strength::none
               : state.reached == phase::under_key ? strength::guarded
                                                   : strength::read_only;
    }

    /// @brief Protects; what is protected stays so.
    /// @par Errors  the backing's; the area is as it was
    template <backing_has_keys Backing>
    [[nodiscard]] result<strength> protect(Backing& backing, typename Backing::region& region,
                                           area_state& state) noexcept {
        return make_ready(backing, region, state).map([&] { return achieved(state); });
    }
    template <backing_has_keys Backing>
    [[nodiscard]] result<void> make_ready(Backing& backing, typename Backing::region& region,
                                          area_state& state) noexcept {
        if (state.reached != phase::writable)
            return {};
        auto done = backing.lock(region, view::main);
        phase next = phase::under_key;
        if (!done && insistence_ == demand::best_effort) {
            done = backing.protect(region, backing.where(region), permissions::read);
            next = phase::read_only;
        }
        if (done)
            state.reached = next;
        return done;
    }
    template <backing_has_keys Backing>
    [[nodiscard]] static result<void> take_back(Backing& backing, typename Backing::region& region,
                                                area_state& state) noexcept {
        if (state.reached == phase::writable)
            return {};
        auto done = state.reached == phase::under_key
                        ? backing.unlock(region, view::main)
                        : backing.protect(region, backing.where(region), permissions::read_write);
        if (done)
            state.reached = phase::writable;
        return done;
    }

    /// @brief Opens the key to this thread.
    /// @par Errors  `not_supported` where the area is read-only for want of keys
    /// @par Thread safety  any thread
    template <backing_has_keys Backing>
    [[nodiscard]] static result<window> open_window(Backing& backing,
                                                    typename Backing::region& region,
                                                    const area_state& state, range part) noexcept {
        if (state.reached == phase::read_only)
            return fail(errc::not_supported);
        if (state.reached == phase::writable)
            return window(part);
        backing.open_lock(region, view::main);
        return window(part, close<Backing>, &backing, &region);
    }

    /// @brief A thread that is older than the key, or has left a signal handler by a jump, may read
    /// from now on; one that was started in a window of its parent's loses that.
    template <backing_has_keys Backing>
    static void let_this_thread_read(Backing& backing, typename Backing::region& region) noexcept {
        backing.open_lock(region, view::main);
        backing.close_lock(region, view::main);
    }

  private:
    template <class Backing>
    static result<void> close(void* backing, void* region, range) noexcept {
        static_cast<Backing*>(backing)->close_lock(*static_cast<typename Backing::region*>(region),
                                                   view::main);
        return {};
    }

    demand insistence_;
};

} // namespace palloc::inline v0
