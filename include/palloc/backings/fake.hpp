// SPDX-License-Identifier: MIT
/// @file
/// @brief A backing without memory: 2^47 bytes of addresses, and every refinement there is.
///
/// When to choose it: to test a pool, a policy or your own code: with failures at a chosen call,
/// regions of terabytes, and questions such as "would a store here fault?". Costs: O(log intervals)
/// a call under a mutex; uses the heap; nothing is ever mapped or touched.
///
///     fake_space space;
///     fake backing(space);
///     space.script.fail_nth(backing_call::commit, 2);
///     … space.write_faults(place) …
///
/// `fake` commits on demand of the pool; with `fake_demand_paged` pages are there from the start.
#pragma once

#include <palloc/backings/detail/fake_space.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace palloc::inline v0 {

/// @brief A handle on a `fake_space`. Copies act on the same space.
/// @tparam Commits whether memory has to be committed before it may be touched.
template <bool Commits>
class basic_fake {
    using state = fake_space::state;

  public:
    static constexpr bool is_touchable = false;
    static constexpr bool is_concurrent = true;

    static constexpr address no_physical = ~address{0};

    /// @brief Addresses to be taken over; they need not lie in the 2^47.
    struct adoption {
        range where;
        address physical = no_physical;
        void* owner = nullptr;
    };

    /// @brief A region: its addresses, its alias, its seal.
    class region {
        friend class basic_fake;
        explicit region(const adoption& given) noexcept : given_(given) {}
        adoption given_;
        address alias_ = 0; ///< 0: none
        bool sealed_ = false;
        bool permanent_ = false;
    };

    explicit basic_fake(fake_space& space) noexcept : space_(&space) {}

    [[nodiscard]] std::size_t page_bytes() const noexcept { return space_->page_bytes(); }
    [[nodiscard]] range where(const region& it) const noexcept { return it.given_.where; }

    /// @brief Finds addresses; readable and writable at first.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `out_of_memory`; as scripted
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept {
        return called(backing_call::map, {0, wanted.bytes}, [&]() -> result<region> {
            if (wanted.bytes == 0)
                return fail(errc::zero_size);
            if (!std::has_single_bit(wanted.alignment))
                return fail(errc::bad_alignment);
            const auto pages = checked_add<std::uint64_t>(wanted.bytes, page_bytes() - 1);
            if (!pages)
                return fail(errc::too_large);
            const std::uint64_t bytes = *pages / page_bytes() * page_bytes();
            const auto base = space_->place(
                bytes, std::max<std::uint64_t>(wanted.alignment, page_bytes()), wanted.within);
            if (!base)
                return fail(errc::out_of_memory);
            return opened({{*base, bytes}}, Commits ? 0 : space_->fresh(bytes));
        });
    }

    /// @brief Takes over addresses, committed as they are.
    /// @par Errors `bad_argument` where they run past 2^64; `overlap`; as scripted
    [[nodiscard]] result<region> adopt(adoption given) noexcept {
        return called(backing_call::adopt, given.where, [&]() -> result<region> {
            const range r = given.where;
            if (r.bytes != 0 && r.base + (r.bytes - 1) < r.base)
                return fail(errc::bad_argument);
            if (!space_->all(r, [](const state& s) { return !s.mapped; }))
                return fail(errc::overlap);
            return opened(given, space_->fresh(r.bytes));
        });
    }

    /// @brief Ends the region and its alias.
    /// @par Errors EPERM where permanent; as scripted
    [[nodiscard]] result<void> unmap(region& it) noexcept {
        return called(backing_call::unmap, where(it), [&]() -> result<void> {
            if (it.permanent_)
                return fail(errc::os_failure, EPERM);
            each_view(it, where(it), [](std::uint64_t, state& s) { s = {}; });
            it = region({});
            return {};
        });
    }

    /// @brief The physical address that the adoption implies.
    [[nodiscard]] result<address> physical(const region& it, address place) const noexcept {
        if (!where(it).contains(place))
            return fail(errc::not_ours);
        if (it.given_.physical == no_physical)
            return fail(errc::not_supported);
        return it.given_.physical + (place - where(it).base);
    }
    [[nodiscard]] void* owner(const region& it) const noexcept { return it.given_.owner; }

    /// @brief Changes what may be done to some pages of the main view.
    /// @par Errors `bad_argument` unless whole pages of the region; EPERM where sealed; as scripted
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept {
        return called(backing_call::protect, part, [&]() -> result<void> {
            if (!where(it).contains(part) || part.base % page_bytes() != 0 ||
                part.bytes % page_bytes() != 0)
                return fail(errc::bad_argument);
            return allow(it, part, allowed);
        });
    }

    /// @brief Opens the writable view elsewhere.
    /// @par Errors `bad_argument` where it is open; EPERM where sealed; `out_of_memory`; as
    /// scripted
    [[nodiscard]] result<address> open_alias(region& it) noexcept {
        return called(backing_call::open_alias, where(it), [&]() -> result<address> {
            if (it.alias_ != 0)
                return fail(errc::bad_argument);
            if (it.sealed_)
                return fail(errc::os_failure, EPERM);
            const auto base = space_->place(where(it).bytes, page_bytes(), anywhere);
            if (!base)
                return fail(errc::out_of_memory);
            for (const auto& [offset, bytes, content] : contents(where(it)))
                space_->set({*base + offset, bytes}, {true, permissions::read_write, content});
            return it.alias_ = *base;
        });
    }
    /// @brief Closes it.
    /// @par Errors `bad_argument` where none is open; as scripted
    [[nodiscard]] result<void> close_alias(region& it) noexcept {
        return called(backing_call::close_alias, where(it), [&]() -> result<void> {
            if (it.alias_ == 0)
                return fail(errc::bad_argument);
            space_->set({std::exchange(it.alias_, 0), where(it).bytes}, {});
            return {};
        });
    }
    /// @brief Changes what may be done through the whole main view.
    /// @par Errors EPERM where sealed; as scripted
    [[nodiscard]] result<void> replace_view(region& it, permissions allowed) noexcept {
        return called(backing_call::replace_view, where(it),
                      [&] { return allow(it, where(it), allowed); });
    }
    /// @brief No view will be writable again.
    /// @par Errors EBUSY where one still is; as scripted
    [[nodiscard]] result<void> seal(region& it) noexcept {
        return called(backing_call::seal, where(it), [&]() -> result<void> {
            if (it.alias_ != 0 ||
                !space_->all(where(it), [](const state& s) { return !writable(s.allowed); }))
                return fail(errc::os_failure, EBUSY);
            it.sealed_ = true;
            return {};
        });
    }

    /// @brief No call will change the main view again.
    /// @par Errors as scripted
    [[nodiscard]] result<void> make_permanent(region& it) noexcept {
        return called(backing_call::make_permanent, where(it), [&]() -> result<void> {
            it.permanent_ = true;
            return {};
        });
    }

    /// @brief Opens a writable view of a part elsewhere.
    /// @par Errors `bad_argument` outside the region; EPERM where sealed; `out_of_memory`; as
    /// scripted
    [[nodiscard]] result<address> open_part(region& it, range part) noexcept {
        return called(backing_call::open_part, part, [&]() -> result<address> {
            if (!where(it).contains(part))
                return fail(errc::bad_argument);
            if (it.sealed_)
                return fail(errc::os_failure, EPERM);
            const auto base = space_->place(part.bytes, page_bytes(), anywhere);
            if (!base)
                return fail(errc::out_of_memory);
            for (const auto& [offset, bytes, content] : contents(part))
                space_->set({*base + offset, bytes}, {true, permissions::read_write, content});
            return *base;
        });
    }
    /// @brief Closes it.
    /// @par Errors as scripted
    [[nodiscard]] result<void> close_part(region&, range opened) noexcept {
        return called(backing_call::close_part, opened, [&]() -> result<void> {
            space_->set(opened, {});
            return {};
        });
    }
    /// @brief Gives bytes new contents.
    /// @par Errors `bad_argument` outside the region; EPERM where sealed; as scripted
    [[nodiscard]] result<void> store(region& it, address place,
                                     std::span<const std::byte> bytes) noexcept {
        const range part{place, bytes.size()};
        return called(backing_call::store, part, [&]() -> result<void> {
            if (!where(it).contains(part))
                return fail(errc::bad_argument);
            if (it.sealed_)
                return fail(errc::os_failure, EPERM);
            const std::uint64_t content = space_->fresh(part.bytes);
            each_view(it, part,
                      [&](std::uint64_t offset, state& s) { s.content = content + offset; });
            return {};
        });
    }

    /// @brief Puts a view under a key.
    /// @par Errors `bad_argument` where there is no such view; EPERM where permanent; as scripted
    [[nodiscard]] result<void> lock(region& it, view which) noexcept {
        return called(backing_call::lock, where(it),
                      [&] { return put_under(it, which, which == view::main ? 1 : 2); });
    }
    [[nodiscard]] result<void> unlock(region& it, view which) noexcept {
        return called(backing_call::unlock, where(it), [&] { return put_under(it, which, 0); });
    }
    /// @brief Whoever asks may store from now on, until it is closed as often as it was opened.
    void open_lock(region&, view which) noexcept {
        ++space_->openers_[which == view::main ? 1 : 2];
    }
    void close_lock(region&, view which) noexcept {
        --space_->openers_[which == view::main ? 1 : 2];
    }

    /// @brief Makes bytes touchable. What is committed already stays as it is.
    /// @par Errors `bad_argument` outside the region; as scripted
    [[nodiscard]] result<void> commit(region& it, range part) noexcept
        requires Commits
    {
        return called(backing_call::commit, part, [&]() -> result<void> {
            if (!where(it).contains(part))
                return fail(errc::bad_argument);
            const std::uint64_t content = space_->fresh(part.bytes);
            each_view(it, part, [&](std::uint64_t offset, state& s) {
                if (s.content == 0)
                    s.content = content + offset;
            });
            return {};
        });
    }
    /// @brief Gives up the contents of bytes.
    /// @par Errors `bad_argument` outside the region; as scripted
    [[nodiscard]] result<void> decommit(region& it, range part) noexcept
        requires Commits
    {
        return called(backing_call::decommit, part, [&]() -> result<void> {
            if (!where(it).contains(part))
                return fail(errc::bad_argument);
            each_view(it, part, [](std::uint64_t, state& s) { s.content = 0; });
            return {};
        });
    }
    /// @brief Gives contents up, and has fresh ones at once wherever there were any.
    /// @par Errors `bad_argument` outside the region; EPERM where sealed; as scripted
    [[nodiscard]] result<void> discard(region& it, range part) noexcept {
        return called(backing_call::discard, part, [&]() -> result<void> {
            if (!where(it).contains(part))
                return fail(errc::bad_argument);
            if (it.sealed_)
                return fail(errc::os_failure, EPERM);
            const std::uint64_t content = space_->fresh(part.bytes);
            each_view(it, part, [&](std::uint64_t offset, state& s) {
                if (s.content != 0)
                    s.content = content + offset;
            });
            return {};
        });
    }
    /// @brief Moves contents to `place`; where they were nothing is committed any more.
    /// @par Errors `bad_argument` unless all of `part` is committed, and both ends lie in their
    /// regions and apart; as scripted
    [[nodiscard]] result<void> move_pages(region& from, range part, region& to,
                                          address place) noexcept
        requires Commits
    {
        return called(backing_call::move_pages, part, [&]() -> result<void> {
            const range target{place, part.bytes};
            if (!where(from).contains(part) || !where(to).contains(target) ||
                part.overlaps(target) ||
                !space_->all(part, [](const state& s) { return s.content != 0; }))
                return fail(errc::bad_argument);
            for (const auto& [offset, bytes, content] : contents(part))
                each_view(to, {place + offset, bytes},
                          [&](std::uint64_t within, state& s) { s.content = content + within; });
            each_view(from, part, [](std::uint64_t, state& s) { s.content = 0; });
            return {};
        });
    }

  private:
    struct piece {
        std::uint64_t offset;
        std::uint64_t bytes;
        std::uint64_t content;
    };

    /// @brief Does a call under the lock, unless the script lets it fail, and logs it.
    template <class Call>
    auto called(backing_call kind, range where, Call&& call) noexcept -> decltype(call()) {
        const std::lock_guard guard(space_->mutex_);
        auto done = space_->script.next(kind).and_then(call);
        if (space_->logging_)
            space_->log_.push_back({kind, where, done.has_value()});
        return done;
    }

    [[nodiscard]] region opened(const adoption& given, std::uint64_t content) noexcept {
        space_->set(given.where, {true, permissions::read_write, content});
        return region(given);
    }

    [[nodiscard]] result<void> allow(const region& it, range part, permissions allowed) noexcept {
        if (it.permanent_ || (it.sealed_ && writable(allowed)))
            return fail(errc::os_failure, EPERM);
        space_->change(part, [&](std::uint64_t, state& s) { s.allowed = allowed; });
        return {};
    }

    [[nodiscard]] result<void> put_under(const region& it, view which, std::uint8_t key) noexcept {
        if (it.permanent_ && which == view::main)
            return fail(errc::os_failure, EPERM);
        const address base = which == view::main ? where(it).base : it.alias_;
        if (base == 0)
            return fail(errc::bad_argument);
        space_->change({base, where(it).bytes}, [&](std::uint64_t, state& s) { s.key = key; });
        return {};
    }

    /// @brief Changes the same bytes in the main view and in the alias.
    template <class F>
    void each_view(const region& it, range part, F&& f) noexcept {
        space_->change(part, f);
        if (it.alias_ != 0)
            space_->change({it.alias_ + (part.base - where(it).base), part.bytes}, f);
    }

    /// @brief What a range holds.
    [[nodiscard]] std::vector<piece> contents(range part) noexcept {
        std::vector<piece> pieces;
        space_->change(part, [&](std::uint64_t offset, const state& s) {
            if (!pieces.empty())
                pieces.back().bytes = offset - pieces.back().offset;
            pieces.push_back({offset, part.bytes - offset, s.content});
        });
        return pieces;
    }

    fake_space* space_;
};

using fake = basic_fake<true>;
using fake_demand_paged = basic_fake<false>;

static_assert(backing_can_map<fake> && backing_can_adopt<fake> && backing_can_seal<fake>);
static_assert(backing_knows_physical_addresses<fake> && backing_knows_owners<fake>);
static_assert(backing_can_change_permissions<fake> && backing_can_move_pages<fake>);
static_assert(backing_can_make_permanent<fake> && backing_can_open_parts<fake>);
static_assert(backing_can_store<fake> && backing_has_keys<fake>);
static_assert(backing_can_discard<fake> && !backing_states_fork_treatment<fake>);
static_assert(!backing_can_commit<fake_demand_paged> && !memory_may_be_touched<fake>);

} // namespace palloc::inline v0
