// SPDX-License-Identifier: MIT
/// @file
/// @brief Backings that write into a heap's page map what their regions are.
#pragma once

#include <palloc/backings/carved.hpp>
#include <palloc/backings/detail/backing_decorator.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/range.hpp>
#include <palloc/kalloc/detail/mapping_gate.hpp>
#include <palloc/kalloc/detail/page_map.hpp>
#include <palloc/kalloc/node_placement.hpp>

#include <cstddef>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Codes of a page map: a compartment of the heap and, in it, a size class or none.
struct page_code {
    static constexpr page_map::code classes = 64; ///< of a compartment; the first is none
    [[nodiscard]] static constexpr page_map::code of(std::size_t compartment,
                                                     std::size_t class_plus_one) noexcept {
        return static_cast<page_map::code>((compartment + 1) * classes + class_plus_one);
    }
    [[nodiscard]] static constexpr std::size_t compartment(page_map::code it) noexcept {
        return std::size_t{it} / classes - 1;
    }
    /// @brief The number of the class plus one; 0 for a block that is in none.
    [[nodiscard]] static constexpr std::size_t class_plus_one(page_map::code it) noexcept {
        return it % classes;
    }
};

/// @brief Marks what it maps as the compartment's; maps nothing where the thread's gate is shut. A
/// node is a wish: where it cannot be met, the memory comes from anywhere.
template <backing_can_map Backing>
class compartment_backing : public backing_decorator<compartment_backing<Backing>, Backing> {
    using base = backing_decorator<compartment_backing<Backing>, Backing>;

  public:
    using typename base::region;

    compartment_backing(Backing inner, page_map& pages, node_placement& placement,
                        std::size_t compartment) noexcept
        : base(std::move(inner)), pages_(&pages), placement_(&placement),
          compartment_(compartment) {}

    [[nodiscard]] page_map& pages() const noexcept { return *pages_; }
    [[nodiscard]] std::size_t compartment() const noexcept { return compartment_; }

    /// @par Errors `out_of_memory` where the gate is shut; the inner backing's; the page map's
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept {
        if (mapping_is_barred)
            return fail(errc::out_of_memory);
        map_request anywhere_at_first = wanted;
        anywhere_at_first.node = any_node;
        auto mapped = base::map(anywhere_at_first);
        if (!mapped)
            return mapped;
        const range where = this->where(*mapped);
        if (const auto room = pages_->cover(where); !room) {
            (void)base::unmap(*mapped);
            return tl::unexpected(room.error());
        }
        if (wanted.node != any_node)
            placement_->place(where, wanted.node);
        pages_->set(where, page_code::of(compartment_, 0));
        return mapped;
    }
    [[nodiscard]] result<void> unmap(region& it) noexcept {
        const range where = this->where(it);
        pages_->set(where, 0); // first: once unmapped, the pages may be another compartment's
        auto done = base::unmap(it);
        if (!done)
            pages_->set(where, page_code::of(compartment_, 0));
        return done;
    }

  private:
    page_map* pages_;
    node_placement* placement_;
    std::size_t compartment_;
};

/// @brief Slabs of one class, carved from a pool over a `compartment_backing`, and marked as such.
template <block_allocator Parent>
class marked_slabs : public backing_decorator<marked_slabs<Parent>, carved<Parent>> {
    using base = backing_decorator<marked_slabs<Parent>, carved<Parent>>;

  public:
    using typename base::region;

    marked_slabs(Parent& parent, std::size_t size_class) noexcept
        : base(carved<Parent>(parent)), parent_(&parent), class_(size_class) {}

    [[nodiscard]] result<region> map(const map_request& wanted) noexcept {
        return base::map(wanted).map([&](region&& slab) noexcept {
            mark(this->where(slab), class_ + 1);
            return std::move(slab);
        });
    }
    [[nodiscard]] result<void> unmap(region& it) noexcept {
        mark(this->where(it), 0);
        return base::unmap(it);
    }

  private:
    void mark(range where, std::size_t class_plus_one) noexcept {
        const auto& own = parent_->backing();
        own.pages().set(where, page_code::of(own.compartment(), class_plus_one));
    }

    Parent* parent_;
    std::size_t class_;
};

} // namespace palloc::inline v0::detail
