// SPDX-License-Identifier: MIT
/// @file
/// @brief What handles of perm_alloc ask of their allocator: edits, direct writes, changes.
///
/// The part of `basic_perm_alloc` between its vocabulary and the pool. Not used by itself.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/process.hpp>
#include <palloc/core/range.hpp>
#include <palloc/perm_alloc/allocation.hpp>
#include <palloc/perm_alloc/detail/edit.hpp>
#include <palloc/perm_alloc/detail/fork_lock.hpp>
#include <palloc/perm_alloc/options.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace palloc::inline v0::detail {

/// @tparam Self  the allocator that its users see.
/// @tparam Pool  over `write_xor_execute`, and memory that may be touched.
template <class Self, class Pool>
class perm_core {
  public:
    using pool_type = Pool;
    using allocation = perm_allocation<Self>;
    using writer = code_writer<Self>;

    perm_core(const perm_core&) = delete;
    perm_core& operator=(const perm_core&) = delete;

  protected:
    using backing = std::remove_reference_t<decltype(std::declval<Pool&>().backing())>;
    using region = typename Pool::region;
    using protection = std::remove_reference_t<decltype(std::declval<Pool&>().protection())>;
    using area_state = typename protection::area_state;

    template <class... Parts>
    explicit perm_core(const perm_options& options, Parts&&... parts)
        : options_(options), pool_(std::forward<Parts>(parts)...) {}
    ~perm_core() = default;

    [[nodiscard]] allocation handle(range where) noexcept {
        return allocation(static_cast<Self&>(*this), where);
    }

    // ---------------------------------------------------------------- under the lock

    /// What never held anything, as if it had been wiped.
    [[nodiscard]] result<void> fill(range block) noexcept {
        return pool_.with_area(
            block.base,
            [&](protection& p, backing& b, region& r, area_state& area) -> result<void> {
                return wipe(p, b, r, area, block);
            });
    }

    /// A block that is about to be handed out reads as if it had never been used.
    [[nodiscard]] result<void> make_clean(range block) noexcept {
        return pool_.with_area(
            block.base,
            [&](protection& p, backing& b, region& r, area_state& area) -> result<void> {
                if (!area.is_fresh(block))
                    if (const auto done = wipe(p, b, r, area, block); !done)
                        return done;
                if (writable(area.wanted))
                    area.mark_written(block);
                return {};
            });
    }

    /// Memory that was just given back. What cannot be wiped now is wiped before it is handed out.
    void reclaim(range gone) noexcept {
        const bool wiped = options_.wipes == wiping::at_once &&
                           pool_
                               .with_area(gone.base,
                                          [&](protection& p, backing& b, region& r,
                                              area_state& area) -> result<void> {
                                              if (area.is_fresh(gone))
                                                  return {};
                                              return wipe(p, b, r, area, gone);
                                          })
                               .has_value();
        unwiped_ = unwiped_ || !wiped;
    }

    [[nodiscard]] result<void> wipe(protection& p, backing& b, region& r, area_state& area,
                                    range part) noexcept {
        auto window = p.open_window(b, r, area, part);
        if (!window)
            return tl::unexpected(window.error());
        const bool code = executable(area.wanted);
        std::memset(reinterpret_cast<void*>(window->writable().base),
                    code ? static_cast<int>(trap_byte) : 0, static_cast<std::size_t>(part.bytes));
        if (const auto done = window->close(); !done)
            return done;
        area.mark_wiped(part);
        area.flush_code(part);
        unsynchronised_ = unsynchronised_ || code;
        return {};
    }

    /// After whatever changed was flushed.
    [[nodiscard]] result<void> synchronise() noexcept {
        if (const auto done = synchronise_instructions({}); !done)
            return done;
        unsynchronised_ = false;
        ++statistics_.synchronisations;
        return {};
    }

    /// A window onto part of a block, all of which can be executed from now on.
    [[nodiscard]] static result<typename protection::window> open_onto(protection& p, backing& b,
                                                                       region& r, area_state& area,
                                                                       range block,
                                                                       range part) noexcept {
        if (const auto ready = p.prepare(b, r, area, block); !ready)
            return tl::unexpected(ready.error());
        return p.open_window(b, r, area, part);
    }

    void count_commit(range where, std::uint64_t changes) noexcept {
        pool_.tell({.what = event::kind::open_window, .where = where, .asked = changes});
        ++statistics_.commits;
        statistics_.permission_changes += changes;
        statistics_.changes_avoided += changes == 0 ? 2 : 0;
    }

    [[nodiscard]] result<edit*> begin_edit(range block, range target) noexcept {
        const auto made = edit_list::make(options_.metadata, block, target);
        if (!made)
            return made;
        const auto bytes = static_cast<std::size_t>(target.bytes);
        const auto copied = pool_.with_area(
            target.base,
            [&](protection& p, backing& b, region& r, area_state& area) -> result<void> {
                if (area.flips && area.all_readable(target)) {
                    std::memcpy((*made)->now().data(), reinterpret_cast<void*>(target.base), bytes);
                    return p.may_write(area);
                }
                auto window = open_onto(p, b, r, area, block, target);
                if (!window)
                    return tl::unexpected(window.error());
                std::memcpy((*made)->now().data(), reinterpret_cast<void*>(window->writable().base),
                            bytes);
                return window->close();
            });
        if (!copied) {
            edit_list::destroy(options_.metadata, *made);
            return tl::unexpected(copied.error());
        }
        std::memcpy((*made)->before().data(), (*made)->now().data(), bytes);
        edits_.add(**made);
        return made;
    }

    void drop(edit* it) noexcept {
        edits_.remove(*it);
        edit_list::destroy(options_.metadata, it);
    }

    /// Stores what the edit changed, or what it changed it from.
    [[nodiscard]] result<void> apply(edit& it, bool forth) noexcept {
        return pool_.with_area(
            it.target.base,
            [&](protection& p, backing& b, region& r, area_state& area) -> result<void> {
                auto window = open_onto(p, b, r, area, it.block, it.target);
                if (!window)
                    return tl::unexpected(window.error());
                const address place = window->writable().base;
                publish(place, forth ? it.now() : it.before(), forth ? it.before() : it.now());
                const std::uint64_t changes = window->changes();
                if (const auto closed = window->close(); !closed) {
                    publish(place, forth ? it.before() : it.now(), forth ? it.now() : it.before());
                    return closed; // the window tries once more when it ends
                }
                area.mark_written(it.target);
                area.flush_code(it.target);
                if (forth)
                    count_commit(it.target, changes);
                return {};
            });
    }
    [[nodiscard]] bool is_code(range part) noexcept {
        bool code = false;
        (void)pool_.with_area(part.base,
                              [&](auto&, auto&, auto&, area_state& area) -> result<void> {
                                  code = executable(area.wanted) || area.alone;
                                  return {};
                              });
        return code;
    }
    [[nodiscard]] result<void> reveal(range part) noexcept {
        return pool_.with_area(part.base,
                               [&](protection& p, backing& b, region& r, area_state& area) {
                                   const auto shown = p.reveal(b, r, area);
                                   if (shown && area.deferred)
                                       area.flush_code(part);
                                   return shown;
                               });
    }

    /// All of them, or none. `edit_at(i)` is the i-th.
    template <class EditAt>
    [[nodiscard]] result<void> commit_edits(std::size_t count, EditAt&& edit_at) noexcept {
        const fork_guard alone(lock_);
        if (!alone)
            return fail(errc::not_supported);
        pool_.protection().look_at_process();
        for (std::size_t i = 0; i != count; ++i)
            if (edit_at(i)->freed)
                return fail(errc::not_a_block);
        std::size_t done = 0;
        auto good = result<void>{};
        bool code = false;
        while (good && done != count) {
            code = code || is_code(edit_at(done)->target);
            good = apply(*edit_at(done), true);
            done += good ? std::size_t{1} : 0;
        }
        if (good && code)
            good = synchronise();
        for (std::size_t i = 0; good && i != count; ++i)
            good = reveal(edit_at(i)->target);
        if (!good) {
            for (std::size_t i = done; i-- != 0;)
                (void)apply(*edit_at(i), false);
            if (code)
                (void)synchronise();
            return good;
        }
        for (std::size_t i = 0; i != count; ++i)
            drop(edit_at(i));
        return {};
    }

    // ---------------------------------------------------------------- asked by handles

    [[nodiscard]] result<writer> open(const allocation& block, range target) noexcept {
        const fork_guard alone(lock_);
        if (!alone)
            return fail(errc::not_supported);
        pool_.protection().look_at_process();
        if (!pool_.is_block(block.where()))
            return fail(errc::not_a_block);
        return begin_edit(block.where(), target).map([this](edit* it) {
            return writer(static_cast<Self&>(*this), *it);
        });
    }

    [[nodiscard]] result<void> commit_one(edit*& it) noexcept {
        return commit_edits(1, [&](std::size_t) { return it; }).map([&] { it = nullptr; });
    }
    [[nodiscard]] result<void> commit_writers(std::span<writer* const> writers) noexcept {
        return commit_edits(writers.size(), [&](std::size_t i) { return writers[i]->edit_; })
            .map([&] {
                for (writer* const each : writers)
                    each->edit_ = nullptr;
            });
    }
    void end_edit(edit* it) noexcept {
        const fork_guard alone(lock_);
        if (alone)
            drop(it);
    }

    [[nodiscard]] result<void> write(const allocation& block, range target,
                                     std::span<const std::byte> bytes) noexcept {
        edit* replaced = nullptr;
        {
            const fork_guard alone(lock_);
            if (!alone)
                return fail(errc::not_supported);
            pool_.protection().look_at_process();
            if (!pool_.is_block(block.where())) [[unlikely]]
                return fail(errc::not_a_block);
            if (const auto done = write_fresh(block.where(), target, bytes); !done || *done)
                return done.map([](bool) {});
            const auto begun = begin_edit(block.where(), target);
            if (!begun)
                return tl::unexpected(begun.error());
            replaced = *begun;
        }
        std::memcpy(replaced->now().data(), bytes.data(), bytes.size());
        auto done = commit_one(replaced);
        if (replaced != nullptr)
            end_edit(replaced);
        return done;
    }

    /// Where nothing was since it was wiped, nobody executes: no copy, no word by word. Answers
    /// whether it was so.
    [[nodiscard]] result<bool> write_fresh(range block, range target,
                                           std::span<const std::byte> bytes) noexcept {
        return pool_.with_area(
            target.base,
            [&](protection& p, backing& b, region& r, area_state& area) -> result<bool> {
                if (!area.is_fresh(target))
                    return false;
                if (unsynchronised_)
                    if (const auto done = synchronise(); !done)
                        return tl::unexpected(done.error());
                auto window = open_onto(p, b, r, area, block, target);
                if (!window)
                    return tl::unexpected(window.error());
                std::memcpy(reinterpret_cast<void*>(window->writable().base), bytes.data(),
                            bytes.size());
                area.mark_written(target);
                count_commit(target, window->changes());
                if (const auto closed = window->close(); !closed) {
                    std::memset(reinterpret_cast<void*>(window->writable().base),
                                executable(area.wanted) ? static_cast<int>(trap_byte) : 0,
                                bytes.size());
                    return tl::unexpected(closed.error());
                }
                if (area.deferred)
                    if (const auto shown = p.reveal(b, r, area); !shown)
                        return tl::unexpected(shown.error());
                area.flush_code(target); // what was fetched here before were traps
                return true;
            });
    }

    [[nodiscard]] result<void> change(const allocation& block, range pages,
                                      permissions now) noexcept {
        const fork_guard alone(lock_);
        if (!alone)
            return fail(errc::not_supported);
        pool_.protection().look_at_process();
        if (!pool_.is_block(block.where()))
            return fail(errc::not_a_block);
        return pool_.with_area(
            pages.base,
            [&](protection& p, backing& b, region& r, area_state& area) -> result<void> {
                if (!area.alone)
                    return fail(errc::not_supported);
                if (area.pages_around(pages) != pages)
                    return fail(errc::bad_alignment);
                // What was written at its own address becomes code that other cores do not know.
                if (executable(now))
                    if (const auto done = synchronise(); !done)
                        return done;
                area.mark_written(pages);
                const auto changed = p.change(b, r, area, pages, now);
                if (changed && executable(now))
                    area.flush_code(pages);
                return changed;
            });
    }

    [[nodiscard]] permissions allowed(const allocation& block, std::uint64_t offset) noexcept {
        const fork_guard alone(lock_);
        permissions now = permissions::none;
        if (alone && pool_.is_block(block.where()))
            (void)pool_.with_area(
                block.address(), [&](auto&, auto&, auto&, area_state& area) -> result<void> {
                    now = area.alone ? area.allowed(block.address() + offset) : area.wanted;
                    return {};
                });
        return now;
    }
    [[nodiscard]] bool is_writable(const allocation& block) noexcept {
        if (writable(allowed(block, 0)))
            return true;
        const fork_guard alone(lock_);
        return alone && edits_.any_on(block.where());
    }

    perm_options options_;
    Pool pool_;
    fork_lock lock_;
    edit_list edits_;
    perm_statistics statistics_{};
    bool unwiped_ = false;        ///< something free holds what it held
    bool unsynchronised_ = false; ///< code was wiped, and cores may not know it

  private:
    friend allocation;
    friend writer;
};

} // namespace palloc::inline v0::detail
