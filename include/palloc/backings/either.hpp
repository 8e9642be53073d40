// SPDX-License-Identifier: MIT
/// @file
/// @brief Two backings, of which the second serves where the first cannot, region by region.
///
/// When to choose it: the first is better and not to be had everywhere, and what it can do beyond
/// the second is asked for at run time. Costs: a branch a call; the larger region.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <variant>

namespace palloc::inline v0 {

/// @brief Regions of `First` as long as it is preferred and can map, else of `Second`.
///
/// Of a region of `Second` the operations that only `First` has answer `not_supported`.
/// @par Thread safety as both
template <backing_can_map First, backing_can_map Second>
class either {
  public:
    static constexpr bool is_touchable =
        memory_may_be_touched<First> && memory_may_be_touched<Second>;

    using region = std::variant<typename First::region, typename Second::region>;

    explicit either(First first = First(), Second second = Second()) noexcept
        : first_(std::move(first)), second_(std::move(second)) {}

    /// @brief Whether regions are to be of `First` from now on, where it can.
    void prefer_first(bool wished) noexcept { first_is_preferred_ = wished; }
    [[nodiscard]] bool prefers_first() const noexcept { return first_is_preferred_; }
    /// @brief Whether that region is of `First`.
    [[nodiscard]] static bool is_first(const region& it) noexcept { return it.index() == 0; }

    [[nodiscard]] std::size_t page_bytes() const noexcept {
        return std::max(first_.page_bytes(), second_.page_bytes());
    }
    [[nodiscard]] range where(const region& it) const noexcept {
        return is_first(it) ? first_.where(*std::get_if<0>(&it))
                            : second_.where(*std::get_if<1>(&it));
    }

    /// @brief Maps by the preferred one; by the second where the first says `not_supported`.
    /// @par Errors those of the one that was asked last
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept {
        if (first_is_preferred_) {
            auto got = first_.map(wanted);
            if (got)
                return region(std::in_place_index<0>, std::move(*got));
            if (got.error().code != errc::not_supported)
                return tl::unexpected(got.error());
        }
        auto got = second_.map(wanted);
        if (!got)
            return tl::unexpected(got.error());
        return region(std::in_place_index<1>, std::move(*got));
    }
    /// @brief What a child of fork finds of that region: known once it is, as either may map it.
    [[nodiscard]] fork_treatment in_child(const region& it) const noexcept
        requires backing_states_fork_treatment<First> && backing_states_fork_treatment<Second>
    {
        return is_first(it) ? first_.in_child() : second_.in_child();
    }
    [[nodiscard]] result<void> unmap(region& it) noexcept {
        return is_first(it) ? first_.unmap(*std::get_if<0>(&it))
                            : second_.unmap(*std::get_if<1>(&it));
    }
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept
        requires backing_can_change_permissions<First> && backing_can_change_permissions<Second>
    {
        return is_first(it) ? first_.protect(*std::get_if<0>(&it), part, allowed)
                            : second_.protect(*std::get_if<1>(&it), part, allowed);
    }

    [[nodiscard]] result<address> open_alias(region& it) noexcept
        requires backing_has_two_views<First>
    {
        return is_first(it) ? first_.open_alias(*std::get_if<0>(&it)) : fail(errc::not_supported);
    }
    [[nodiscard]] result<void> close_alias(region& it) noexcept
        requires backing_has_two_views<First>
    {
        return is_first(it) ? first_.close_alias(*std::get_if<0>(&it)) : fail(errc::not_supported);
    }
    [[nodiscard]] result<void> replace_view(region& it, permissions allowed) noexcept
        requires backing_has_two_views<First>
    {
        return is_first(it) ? first_.replace_view(*std::get_if<0>(&it), allowed)
                            : fail(errc::not_supported);
    }
    [[nodiscard]] result<void> replace_view(region& it, range part, permissions allowed) noexcept
        requires backing_replaces_parts_of_views<First>
    {
        return is_first(it) ? first_.replace_view(*std::get_if<0>(&it), part, allowed)
                            : fail(errc::not_supported);
    }
    void populate(region& it, range part) noexcept
        requires backing_can_populate<First>
    {
        if (is_first(it))
            first_.populate(*std::get_if<0>(&it), part);
    }
    [[nodiscard]] result<void> forbid_other_writers(region& it) noexcept
        requires backing_can_forbid_writers<First>
    {
        return is_first(it) ? first_.forbid_other_writers(*std::get_if<0>(&it))
                            : fail(errc::not_supported);
    }

  private:
    First first_;
    Second second_;
    bool first_is_preferred_ = true;
};

} // namespace palloc::inline v0
