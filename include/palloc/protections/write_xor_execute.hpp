// SPDX-License-Identifier: MIT
/// @file
/// @brief Each area has one permission, and is written through windows: never writable and
/// executable at once.
///
/// When to choose it: code that is made at run time, and data beside it that is to be read only.
/// Over a backing with two views code is written through an alias elsewhere, and is executable all
/// the time (`strength::write_xor_execute`); over one that can only change permissions the pages of
/// a window are writable while it is open and executable before and after
/// (`strength::write_or_execute`). Costs: a window over two views nothing; else two permission
/// changes. A view is made executable 64 KiB at a time, filled with trapping instructions before.
/// Memory: a bit for each 64 bytes; a byte a page where pages have permissions of their own.
///
/// In the child of a fork the areas are closed: nothing is written or reused, all can be executed.
/// Thread safety: none. Source: the permission allocator of the perm_alloc RFC; bpf_prog_pack.
#pragma once

#include <palloc/concepts/archetypes.hpp>
#include <palloc/concepts/metadata.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/bits.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/process.hpp>
#include <palloc/core/range.hpp>
#include <palloc/protections/detail/twin_area.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace palloc::inline v0 {

/// @brief What is written is not executable there, and what is executable is not writable there.
class write_xor_execute {
  public:
    static constexpr protection_needs needs = protection_needs::two_views_or_permissions;

    /// @brief What a request wishes of its area.
    struct attributes {
        permissions wanted = permissions::read_write;
        bool alone = false;    ///< no other block lives there, so that its pages may change
        bool deferred = false; ///< alone, and nothing can be done to it until it is revealed
        friend constexpr bool operator==(const attributes&, const attributes&) = default;
    };
    using area_state = detail::twin_area;
    using window = detail::twin_window;

    /// @brief Whether pages of an area can have permissions of their own.
    template <class Backing>
    static constexpr bool shows_parts =
        backing_replaces_parts_of_views<Backing> || backing_can_change_permissions<Backing>;

    /// @param metadata  what the bits are kept in
    /// @param required  areas of code with less are refused
    explicit write_xor_execute(metadata_ref metadata = standard_metadata(),
                               strength required = strength::none) noexcept
        : metadata_(metadata), required_(required) {}

    /// @brief Gives an area its permission.
    /// @par Errors  `not_supported`: not with the required strength; those of the backing and the
    ///   metadata provider. All is as it was.
    template <backing_provider Backing>
    [[nodiscard]] result<void> open_area(Backing& b, typename Backing::region& region,
                                         area_state& s, const attributes& wished) noexcept {
        s = {.where = b.where(region),
             .page_bytes = b.page_bytes(),
             .wanted = wished.wanted,
             .alone = wished.alone,
             .deferred = wished.deferred,
             .flips = !backing_has_two_views<Backing>,
             .is_private = is_private(b, region),
             .step_log2 = area_state::step_log2_of(b.where(region).bytes, b.page_bytes()),
             .generation = process_generation()};
        generation_ = s.generation;
        auto done = take_books(s);
        if (done && (s.alone || s.wanted == permissions::read || executable(s.wanted)))
            done = open_alias(b, region, s);
        if (done && achieved(s) < required_)
            done = fail(errc::not_supported);
        if (done)
            done = first_view(b, region, s);
        if (done)
            return done;
        if constexpr (backing_has_two_views<Backing>)
            if (s.alias != 0)
                (void)b.close_alias(region);
        give_back_books(s);
        s = {};
        return done;
    }

    template <backing_provider Backing>
    [[nodiscard]] result<void> close_area(Backing& b, typename Backing::region& region,
                                          area_state& s) noexcept {
        give_back_books(s);
        const address alias = std::exchange(s.alias, 0);
        if constexpr (backing_has_two_views<Backing>)
            if (alias != 0 && s.generation == process_generation())
                return b.close_alias(region);
        return {};
    }

    [[nodiscard]] bool admits(const area_state& s, const attributes& wished) const noexcept {
        return s.wanted == wished.wanted && s.alone == wished.alone &&
               s.deferred == wished.deferred && !is_closed(s);
    }
    [[nodiscard]] release_action on_release(const area_state& s) const noexcept {
        return is_closed(s) ? release_action::keep_dead : release_action::reuse;
    }
    [[nodiscard]] strength achieved(const area_state& s) const noexcept {
        return s.flips ? strength::write_or_execute : strength::write_xor_execute;
    }

    /// @brief Notices that this process is the child of a fork.
    void look_at_process() noexcept { generation_ = process_generation(); }

    /// @brief Whether windows onto the area can be opened in this process.
    /// @par Errors  `is_protected` in the child of a fork
    [[nodiscard]] result<void> may_write(const area_state& s) const noexcept {
        return is_closed(s) ? fail(errc::is_protected) : result<void>{};
    }

    /// @brief Opens a window onto part of an area. Over two views any number may be open.
    /// @par Errors  `is_protected` in the child of a fork; those of the backing; nothing changed.
    template <backing_provider Backing>
    [[nodiscard]] result<window> open_window(Backing& b, typename Backing::region& region,
                                             area_state& s, range part) noexcept {
        if (is_closed(s))
            return fail(errc::is_protected);
        if (const auto ready = prepare(b, region, s, part); !ready)
            return tl::unexpected(ready.error());
        if (s.all_allowed(part, permissions::read_write))
            return window(part);
        if (const auto there = open_alias(b, region, s); !there)
            return tl::unexpected(there.error());
        if (!s.flips)
            return window({s.alias + (part.base - s.where.base), part.bytes});
        if constexpr (backing_can_change_permissions<Backing>)
            return window::flipped(b, region, s, part);
        return fail(errc::not_supported);
    }

    /// @brief Makes what of an executable area holds `part` executable, and fills it with traps.
    /// @par Errors  those of the backing; what is ready stays ready.
    template <backing_provider Backing>
    [[nodiscard]] result<void> prepare(Backing& b, typename Backing::region& region, area_state& s,
                                       range part) noexcept {
        if constexpr (shows_parts<Backing>) {
            if (is_closed(s))
                return fail(errc::is_protected);
            if (!s.has_steps() || part.bytes == 0)
                return {};
            const std::size_t last = s.step_of(part.base + part.bytes - 1);
            for (std::size_t step = s.step_of(part.base); step <= last; ++step) {
                if (s.is_ready(step)) [[likely]]
                    continue;
                if (const auto made = make_ready(b, region, s, step); !made)
                    return made;
            }
        }
        return {};
    }

    /// @brief Changes what may be done to whole pages of an area that has one block; contents stay.
    /// @par Errors  `not_supported` unless the area is `alone`; `is_protected` in the child of a
    ///   fork; those of the backing; nothing changed.
    template <backing_provider Backing>
        requires shows_parts<Backing>
    [[nodiscard]] result<void> change(Backing& b, typename Backing::region& region, area_state& s,
                                      range pages, permissions allowed) noexcept {
        if (!s.alone)
            return fail(errc::not_supported);
        if (is_closed(s))
            return fail(errc::is_protected);
        if (const auto done = show(b, region, s, pages, allowed); !done)
            return done;
        s.set_allowed(pages, allowed);
        return {};
    }

    /// @brief Gives pages whose view was deferred their permission.
    /// @par Errors  those of the backing; what was revealed stays so, and the rest can be tried
    /// again.
    template <backing_provider Backing>
    [[nodiscard]] result<void> reveal(Backing& b, typename Backing::region& region,
                                      area_state& s) noexcept {
        if constexpr (shows_parts<Backing>)
            for (range run = s.next_pending(s.where.base); run.bytes != 0;
                 run = s.next_pending(run.base + run.bytes)) {
                if (const auto done = show(b, region, s, run, s.wanted); !done)
                    return done;
                s.set_allowed(run, s.wanted);
            }
        return {};
    }

  private:
    [[nodiscard]] result<void> take_books(area_state& s) noexcept {
        const auto taken = metadata_.take(s.book_bytes());
        if (taken)
            s.written = reinterpret_cast<bits::word*>(*taken);
        return taken.map([](auto) {});
    }
    void give_back_books(area_state& s) noexcept {
        if (s.written != nullptr)
            metadata_.give_back(reinterpret_cast<std::byte*>(std::exchange(s.written, nullptr)),
                                s.book_bytes());
    }

    template <class Backing>
    [[nodiscard]] static bool is_private(const Backing& b,
                                         const typename Backing::region& region) noexcept {
        if constexpr (requires { b.in_child(region); })
            return b.in_child(region) == fork_treatment::copied;
        else
            return !backing_has_two_views<Backing>;
    }
    [[nodiscard]] bool is_closed(const area_state& s) const noexcept {
        return s.generation != generation_ && !s.is_private;
    }

    /// Where there can be no second view, the area is one whose permissions flip.
    template <backing_provider Backing>
    [[nodiscard]] result<void> open_alias(Backing& b, typename Backing::region& region,
                                          area_state& s) noexcept {
        if (s.alias != 0 || s.flips)
            return {};
        if constexpr (backing_has_two_views<Backing>) {
            const auto alias = b.open_alias(region);
            if (!alias && backing_can_change_permissions<Backing> &&
                alias.error().code == errc::not_supported) {
                s.flips = true;
                return {};
            }
            if (!alias)
                return tl::unexpected(alias.error());
            s.alias = *alias;
            if constexpr (backing_can_forbid_writers<Backing>)
                if (const auto done = b.forbid_other_writers(region);
                    !done && done.error().code != errc::not_supported)
                    return done;
        }
        return {};
    }

    /// What may be done to part of the main view.
    template <backing_provider Backing>
    [[nodiscard]] static result<void> show(Backing& b, typename Backing::region& region,
                                           const area_state& s, range part,
                                           permissions allowed) noexcept {
        if constexpr (backing_replaces_parts_of_views<Backing>)
            if (!s.flips)
                return b.replace_view(region, part, allowed);
        if constexpr (backing_can_change_permissions<Backing>)
            return b.protect(region, part, allowed);
        else
            return b.replace_view(region, allowed); // all of it
    }

    /// What cannot be executed here is found out now, not when code is there.
    template <backing_provider Backing>
    [[nodiscard]] static result<void> first_view(Backing& b, typename Backing::region& region,
                                                 const area_state& s) noexcept {
        auto done = result<void>{};
        const range first = shows_parts<Backing> && s.has_steps() ? s.bytes_of_step(0) : s.where;
        if (s.wanted != permissions::read_write)
            done = show(b, region, s, first, s.wanted);
        if (done && shows_parts<Backing> && (s.has_steps() || s.deferred))
            done = show(b, region, s, s.where, permissions::none);
        return done;
    }

    template <backing_provider Backing>
    [[nodiscard]] static result<void> make_ready(Backing& b, typename Backing::region& region,
                                                 area_state& s, std::size_t step) noexcept {
        const range bytes = s.bytes_of_step(step);
        if (s.flips)
            if (const auto open = show(b, region, s, bytes, permissions::read_write); !open)
                return open;
        if constexpr (backing_can_populate<Backing>)
            if (!s.flips)
                b.populate(region, bytes);
        if constexpr (memory_may_be_touched<Backing>)
            std::memset(reinterpret_cast<void*>(s.flips ? bytes.base
                                                        : s.alias + (bytes.base - s.where.base)),
                        static_cast<int>(trap_byte), static_cast<std::size_t>(bytes.bytes));
        if (const auto shown = show(b, region, s, bytes, s.wanted); !shown)
            return shown;
        s.set_ready(step);
        return {};
    }

    metadata_ref metadata_;
    strength required_;
    std::uint64_t generation_ = process_generation();
};

static_assert(!protection_for<write_xor_execute, archetypes::backing_provider>);
static_assert(!stateless_protection<write_xor_execute>);

} // namespace palloc::inline v0
