// SPDX-License-Identifier: MIT
/// @file
/// @brief Another backing, whose memory comes from one memory node.
///
/// When to choose it: threads that run near one node should find their memory there. Costs: a
/// system call a chunk; 24 bytes. Where the system refuses, the memory is taken as it comes, and
/// counted as `unbound_regions`; `node_wish::required` makes that an error instead.
///
/// For a pool's own books there is `mapped_metadata` with a node.
#pragma once

#include <palloc/backings/detail/backing_decorator.hpp>
#include <palloc/backings/detail/node_binding.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/range.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace palloc::inline v0 {

/// @brief What it means that a node is named.
enum class node_wish : std::uint8_t {
    preferred, ///< from there while it has memory, else from another
    required,  ///< from there or not at all
};

/// @brief Binds every region to a node, and is otherwise the inner backing.
/// @par Thread safety as the inner backing, but for map: none
template <backing_can_map Backing>
class on_node : public detail::backing_decorator<on_node<Backing>, Backing> {
    using base = detail::backing_decorator<on_node<Backing>, Backing>;

  public:
    using typename base::region;

    /// @param node  of regions for which the request names none; `any_node`: those stay as they
    /// come
    on_node(Backing inner, numa_node node, node_wish wish = node_wish::preferred) noexcept
        : base(std::move(inner)), node_(node), wish_(wish) {}

    /// @brief Maps, and binds what was mapped. Large pages of a required node are touched as well:
    /// the system promises them from any node, and without one on this an access later would die.
    /// @par Errors  those of the inner backing; with `required` also `bad_argument` for a number
    /// that no node can have, `not_supported` where this process may choose no node, and
    /// `os_failure`: EINVAL where there is no such node, EFAULT where it has no large page left.
    /// Nothing stays mapped.
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept {
        const numa_node node = wanted.node == any_node ? node_ : wanted.node;
        map_request anywhere_at_all = wanted;
        anywhere_at_all.node = any_node;
        auto made = base::map(anywhere_at_all);
        if (!made || node == any_node)
            return made;
        const auto bound =
            detail::bind_to_node(this->where(*made), node, is_required()).and_then([&]() noexcept {
                return made_sure(*made);
            });
        if (bound) {
            ++bound_regions_;
            if constexpr (backing_can_keep_mappings<Backing>)
                this->inner_.keep_mappings(*made);
        } else if (is_required()) {
            (void)base::unmap(*made);
            return tl::unexpected(bound.error());
        } else {
            ++unbound_regions_;
            last_refusal_ = bound.error();
        }
        return made;
    }

    /// @brief Gives the memory of pages back.
    /// @par Errors  those of the inner backing; `not_supported` for large pages of a required node,
    /// which another process might take meanwhile
    [[nodiscard]] result<void> discard(region& it, range part) noexcept
        requires backing_can_discard<Backing>
    {
        if (is_required() && has_large_pages(it))
            return fail(errc::not_supported);
        return base::discard(it, part);
    }

    /// @brief Regions so far that are bound, and those that the system refused to bind.
    [[nodiscard]] std::uint32_t bound_regions() const noexcept { return bound_regions_; }
    [[nodiscard]] std::uint32_t unbound_regions() const noexcept { return unbound_regions_; }
    /// @brief Why the last of them was refused.
    [[nodiscard]] std::optional<error> last_refusal() const noexcept {
        return unbound_regions_ == 0 ? std::nullopt : std::optional(last_refusal_);
    }

    /// @brief The node that the page at `place` lies on.
    /// @par Errors  `not_ours` outside the region; `not_supported`; `os_failure`: ENOENT where
    /// nobody has touched the page yet
    [[nodiscard]] result<numa_node> node_of(const region& it, address place) const noexcept {
        if (!this->where(it).contains(place))
            return fail(errc::not_ours);
        return detail::node_of(place);
    }

  private:
    [[nodiscard]] bool is_required() const noexcept { return wish_ == node_wish::required; }

    [[nodiscard]] bool has_large_pages([[maybe_unused]] const region& it) const noexcept {
        if constexpr (backing_tells_page_sizes<Backing>)
            return this->page_bytes(it) >= least_large_page;
        else
            return false;
    }

    [[nodiscard]] result<void> made_sure(const region& it) const noexcept {
        return is_required() && has_large_pages(it) ? detail::populate(this->where(it))
                                                    : result<void>();
    }

    static constexpr std::size_t least_large_page = std::size_t{2} << 20;

    numa_node node_;
    node_wish wish_;
    std::uint32_t bound_regions_ = 0;
    std::uint32_t unbound_regions_ = 0;
    error last_refusal_{};
};

} // namespace palloc::inline v0
