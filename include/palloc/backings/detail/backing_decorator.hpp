// SPDX-License-Identifier: MIT
/// @file
/// @brief What backings that wrap a backing have in common: they offer what the inner one offers.
#pragma once

#include <palloc/backings/detail/fault_script.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Passes every call on, each refinement exactly where the inner backing has it.
///
/// `Derived` hides the calls that it changes. It may also have a `before(backing_call)` that is
/// asked before each call that can fail, and can refuse it.
template <class Derived, backing_provider Backing>
class backing_decorator {
  public:
    using region = typename Backing::region;
    using adoption = typename adoption_of<Backing>::type;

    static constexpr bool is_touchable = memory_may_be_touched<Backing>;
    static constexpr bool is_concurrent = requires { requires Backing::is_concurrent; };

    /// @brief The backing that does the work.
    [[nodiscard]] const Backing& inner() const noexcept { return inner_; }

    [[nodiscard]] std::size_t page_bytes() const noexcept { return inner_.page_bytes(); }
    [[nodiscard]] std::size_t page_bytes(const region& it) const noexcept
        requires backing_tells_page_sizes<Backing>
    {
        return inner_.page_bytes(it);
    }
    [[nodiscard]] range where(const region& it) const noexcept { return inner_.where(it); }

    [[nodiscard]] fork_treatment in_child() const noexcept
        requires backing_states_fork_treatment<Backing>
    {
        return inner_.in_child();
    }
    [[nodiscard]] std::uint64_t left_bytes() const noexcept
        requires backing_tells_what_is_left<Backing>
    {
        return inner_.left_bytes();
    }
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept
        requires backing_can_map<Backing>
    {
        return asked(backing_call::map).and_then([&] { return inner_.map(wanted); });
    }
    [[nodiscard]] result<region> adopt(adoption given) noexcept
        requires backing_can_adopt<Backing>
    {
        return asked(backing_call::adopt).and_then([&] { return inner_.adopt(std::move(given)); });
    }
    [[nodiscard]] result<void> unmap(region& it) noexcept {
        return asked(backing_call::unmap).and_then([&] { return inner_.unmap(it); });
    }
    [[nodiscard]] result<address> physical(const region& it, address place) const noexcept
        requires backing_knows_physical_addresses<Backing>
    {
        return inner_.physical(it, place);
    }
    [[nodiscard]] void* owner(const region& it) const noexcept
        requires backing_knows_owners<Backing>
    {
        return inner_.owner(it);
    }
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept
        requires backing_can_change_permissions<Backing>
    {
        return asked(backing_call::protect).and_then([&] {
            return inner_.protect(it, part, allowed);
        });
    }
    [[nodiscard]] result<address> open_alias(region& it) noexcept
        requires backing_has_two_views<Backing>
    {
        return asked(backing_call::open_alias).and_then([&] { return inner_.open_alias(it); });
    }
    [[nodiscard]] result<void> close_alias(region& it) noexcept
        requires backing_has_two_views<Backing>
    {
        return asked(backing_call::close_alias).and_then([&] { return inner_.close_alias(it); });
    }
    [[nodiscard]] result<void> replace_view(region& it, permissions allowed) noexcept
        requires backing_has_two_views<Backing>
    {
        return asked(backing_call::replace_view).and_then([&] {
            return inner_.replace_view(it, allowed);
        });
    }
    [[nodiscard]] result<void> replace_view(region& it, range part, permissions allowed) noexcept
        requires backing_replaces_parts_of_views<Backing>
    {
        return asked(backing_call::replace_view).and_then([&] {
            return inner_.replace_view(it, part, allowed);
        });
    }
    [[nodiscard]] result<void> forbid_other_writers(region& it) noexcept
        requires backing_can_forbid_writers<Backing>
    {
        return asked(backing_call::seal).and_then([&] { return inner_.forbid_other_writers(it); });
    }
    void populate(region& it, range part) noexcept
        requires backing_can_populate<Backing>
    {
        inner_.populate(it, part);
    }
    [[nodiscard]] result<void> seal(region& it) noexcept
        requires backing_can_seal<Backing>
    {
        return asked(backing_call::seal).and_then([&] { return inner_.seal(it); });
    }
    [[nodiscard]] result<void> commit(region& it, range part) noexcept
        requires backing_can_commit<Backing>
    {
        return asked(backing_call::commit).and_then([&] { return inner_.commit(it, part); });
    }
    [[nodiscard]] result<void> decommit(region& it, range part) noexcept
        requires backing_can_commit<Backing>
    {
        return asked(backing_call::decommit).and_then([&] { return inner_.decommit(it, part); });
    }
    void keep_mappings(region& it) noexcept
        requires backing_can_keep_mappings<Backing>
    {
        inner_.keep_mappings(it);
    }
    [[nodiscard]] result<void> discard(region& it, range part) noexcept
        requires backing_can_discard<Backing>
    {
        return asked(backing_call::discard).and_then([&] { return inner_.discard(it, part); });
    }
    [[nodiscard]] result<void> move_pages(region& from, range part, region& to,
                                          address place) noexcept
        requires backing_can_move_pages<Backing>
    {
        return asked(backing_call::move_pages).and_then([&] {
            return inner_.move_pages(from, part, to, place);
        });
    }

    [[nodiscard]] result<void> make_permanent(region& it) noexcept
        requires backing_can_make_permanent<Backing>
    {
        return asked(backing_call::make_permanent).and_then([&] {
            return inner_.make_permanent(it);
        });
    }
    [[nodiscard]] result<address> open_part(region& it, range part) noexcept
        requires backing_can_open_parts<Backing>
    {
        return asked(backing_call::open_part).and_then([&] { return inner_.open_part(it, part); });
    }
    [[nodiscard]] result<void> close_part(region& it, range opened) noexcept
        requires backing_can_open_parts<Backing>
    {
        return asked(backing_call::close_part).and_then([&] {
            return inner_.close_part(it, opened);
        });
    }
    [[nodiscard]] result<void> store(region& it, address place,
                                     std::span<const std::byte> bytes) noexcept
        requires backing_can_store<Backing>
    {
        return asked(backing_call::store).and_then([&] { return inner_.store(it, place, bytes); });
    }
    [[nodiscard]] result<void> lock(region& it, view which) noexcept
        requires backing_has_keys<Backing>
    {
        return asked(backing_call::lock).and_then([&] { return inner_.lock(it, which); });
    }
    [[nodiscard]] result<void> unlock(region& it, view which) noexcept
        requires backing_has_keys<Backing>
    {
        return asked(backing_call::unlock).and_then([&] { return inner_.unlock(it, which); });
    }
    void open_lock(region& it, view which) noexcept
        requires backing_has_keys<Backing>
    {
        inner_.open_lock(it, which);
    }
    void close_lock(region& it, view which) noexcept
        requires backing_has_keys<Backing>
    {
        inner_.close_lock(it, which);
    }

  protected:
    explicit backing_decorator(Backing inner) noexcept : inner_(std::move(inner)) {}

    Backing inner_;

  private:
    [[nodiscard]] result<void> asked(backing_call kind) noexcept {
        if constexpr (requires(Derived& derived) { derived.before(kind); })
            return static_cast<Derived*>(this)->before(kind);
        else
            return {};
    }
};

} // namespace palloc::inline v0::detail
