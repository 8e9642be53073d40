// SPDX-License-Identifier: MIT
/// @file
/// @brief Areas that are read-only once they are protected, and still written through windows.
///
/// When to choose it: data that is read all the time and changed now and then: counters, pointers
/// to the newest version, switches. Stray stores fault at every address: the memory is written
/// through a second view, which is either under a protection key (no system call, this thread only)
/// or mapped for the occasion (as long as the system calls take; other threads that guess the
/// address could use it meanwhile). Costs: with keys, address space for the second view.
///
/// A store of an aligned native word through a window is seen whole or not at all; copies are not.
/// Whoever writes the same bytes from several threads brings the lock.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/os_codes.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/write_window.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace palloc::inline v0 {

/// @brief How a `write_rare` goes about it.
struct write_rare_options {
    demand windows_of_one_thread = demand::best_effort; ///< required: without keys it fails
    bool from_birth =
        false; ///< areas are protected from the start, and hand out blocks all the same
};

/// @brief Read-only for everybody, written through windows.
class write_rare {
    enum class phase : std::uint8_t { writable, written_rarely, ended };

  public:
    static constexpr protection_needs needs = protection_needs::two_views | protection_needs::parts;

    struct attributes {
        friend constexpr bool operator==(attributes, attributes) = default;
    };
    struct area_state {
        phase reached = phase::writable;
        bool is_sealed = false;
        address alias = 0; ///< the second view, under a key; 0: none
    };
    using window = write_window;

    constexpr explicit write_rare(write_rare_options options = {}) noexcept : options_(options) {}

    template <backing_has_two_views Backing>
    [[nodiscard]] result<void> open_area(Backing& backing, typename Backing::region& region,
                                         area_state& state, const attributes&) noexcept {
        return options_.from_birth ? make_ready(backing, region, state) : result<void>();
    }
    template <backing_has_two_views Backing>
    [[nodiscard]] static result<void> close_area(Backing& backing, typename Backing::region& region,
                                                 area_state& state) noexcept {
        return take_back(backing, region, state);
    }

    [[nodiscard]] bool admits(const area_state& state, const attributes&) const noexcept {
        return state.reached == phase::writable ||
               (options_.from_birth && state.reached == phase::written_rarely);
    }
    [[nodiscard]] static release_action on_release(const area_state& state) noexcept {
        return state.reached == phase::writable ? release_action::reuse : release_action::keep_dead;
    }
    [[nodiscard]] static strength achieved(const area_state& state) noexcept {
        if (state.reached == phase::writable)
            return strength::none;
        return state.alias != 0  ? strength::guarded
               : state.is_sealed ? strength::sealed
                                 : strength::read_only;
    }

    /// @brief Protects; what is protected stays so.
    /// @par Errors  the backing's; the area is as it was
    template <backing_has_two_views Backing>
    [[nodiscard]] result<strength> protect(Backing& backing, typename Backing::region& region,
                                           area_state& state) noexcept {
        return make_ready(backing, region, state).map([&] { return achieved(state); });
    }
    template <backing_has_two_views Backing>
    [[nodiscard]] result<void> make_ready(Backing& backing, typename Backing::region& region,
                                          area_state& state) noexcept {
        if (state.reached != phase::writable)
            return {};
        const auto hidden = hide_alias(backing, region, state);
        const bool stands_unlocked = !hidden && state.alias != 0;
        if (stands_unlocked || (!hidden && options_.windows_of_one_thread == demand::required))
            return hidden;
        if (const auto done = backing.replace_view(region, permissions::read); !done) {
            (void)drop_alias(backing, region, state);
            return done;
        }
        state.reached = phase::written_rarely;
        return {};
    }
    template <backing_has_two_views Backing>
    [[nodiscard]] static result<void> take_back(Backing& backing, typename Backing::region& region,
                                                area_state& state) noexcept {
        if (const auto dropped = drop_alias(backing, region, state); !dropped)
            return dropped;
        if (state.reached != phase::written_rarely)
            return {};
        auto done = backing.replace_view(region, permissions::read_write);
        if (done)
            state.reached = phase::writable;
        return done;
    }

    /// @brief No window opens any more: the area is as immutable as the backing can make it.
    /// @par Errors  the backing's: the second view is still there; nothing is lost, and it may be
    ///   tried again; so too where `is_busy`: a window that was opened without keys is still open,
    ///   and goes on writing until it closes. With keys there is no such error: the second view
    ///   goes, and stores through what was a window fault.
    template <backing_has_two_views Backing>
    [[nodiscard]] static result<strength>
    end_writing(Backing& backing, typename Backing::region& region, area_state& state) noexcept {
        if (state.reached == phase::writable)
            if (const auto done = backing.replace_view(region, permissions::read); !done)
                return tl::unexpected(done.error());
        state.reached = phase::ended;
        if (const auto dropped = drop_alias(backing, region, state); !dropped)
            return tl::unexpected(dropped.error());
        if constexpr (backing_can_seal<Backing>)
            if (!state.is_sealed) {
                const auto sealed = backing.seal(region);
                if (!sealed && is_busy(sealed.error()))
                    return tl::unexpected(sealed.error());
                state.is_sealed = sealed.has_value();
            }
        return achieved(state);
    }

    /// @brief Writable addresses of a part: those of the second view, or before protection its own.
    /// @par Errors  `is_protected` where writing has ended; the backing's
    /// @par Thread safety  any thread
    template <backing_can_open_parts Backing>
    [[nodiscard]] static result<window> open_window(Backing& backing,
                                                    typename Backing::region& region,
                                                    const area_state& state, range part) noexcept {
        if (state.reached == phase::ended)
            return fail(errc::is_protected);
        if (state.reached == phase::writable)
            return window(part);
        if constexpr (backing_has_keys<Backing>)
            if (state.alias != 0) {
                const range there{state.alias + (part.base - backing.where(region).base),
                                  part.bytes};
                backing.open_lock(region, view::alias);
                return window(there, close_lock<Backing>, &backing, &region);
            }
        return backing.open_part(region, part).map([&](address base) {
            return window({base, part.bytes}, close_part<Backing>, &backing, &region);
        });
    }

    /// @brief Copies bytes to `place`, without any view where the backing has a way.
    /// @par Errors, thread safety  those of a window
    template <backing_can_open_parts Backing>
    [[nodiscard]] static result<void> store(Backing& backing, typename Backing::region& region,
                                            const area_state& state, address place,
                                            std::span<const std::byte> bytes) noexcept {
        if constexpr (backing_can_store<Backing>)
            if (state.reached == phase::written_rarely && state.alias == 0)
                return backing.store(region, place, bytes);
        auto opened = open_window(backing, region, state, {place, bytes.size()});
        if (!opened)
            return tl::unexpected(opened.error());
        if constexpr (memory_may_be_touched<Backing>)
            std::copy(bytes.begin(), bytes.end(), opened->bytes().begin());
        return opened->close();
    }

  private:
    /// The second view: there all the time, but behind a key.
    template <class Backing>
    [[nodiscard]] static result<void> hide_alias(Backing& backing, typename Backing::region& region,
                                                 area_state& state) noexcept {
        if constexpr (backing_has_keys<Backing>) {
            if (state.alias == 0) { // else an earlier attempt could not get rid of it
                const auto alias = backing.open_alias(region);
                if (!alias)
                    return tl::unexpected(alias.error());
                state.alias = *alias;
            }
            const auto locked = backing.lock(region, view::alias);
            if (!locked)
                (void)drop_alias(backing, region, state);
            return locked;
        } else {
            return fail(errc::not_supported);
        }
    }

    template <class Backing>
    [[nodiscard]] static result<void> drop_alias(Backing& backing, typename Backing::region& region,
                                                 area_state& state) noexcept {
        if (state.alias == 0)
            return {};
        auto done = backing.close_alias(region);
        if (done)
            state.alias = 0;
        return done;
    }

    template <class Backing>
    static result<void> close_lock(void* backing, void* region, range) noexcept {
        static_cast<Backing*>(backing)->close_lock(*static_cast<typename Backing::region*>(region),
                                                   view::alias);
        return {};
    }
    template <class Backing>
    static result<void> close_part(void* backing, void* region, range opened) noexcept {
        return static_cast<Backing*>(backing)->close_part(
            *static_cast<typename Backing::region*>(region), opened);
    }

    write_rare_options options_;
};

} // namespace palloc::inline v0
