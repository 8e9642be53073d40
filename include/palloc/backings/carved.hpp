// SPDX-License-Identifier: MIT
/// @file
/// @brief Chunks that are blocks of another pool: a pool in a pool.
///
/// When to choose it: size classes over shared chunks, or an arena within a larger pool. Costs: an
/// allocation of the parent a chunk; 24 bytes. The memory is as the parent hands it out, so it is
/// not zeroed.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief Maps by allocating from the parent, unmaps by giving back to it.
/// @par Thread safety as the parent's
template <block_allocator Parent>
class carved {
  public:
    static constexpr bool is_touchable = touchable_allocator<Parent>;

    /// @brief A block of the parent.
    class region {
        friend class carved;
        constexpr region(range where, std::uint64_t alignment) noexcept
            : where_(where), alignment_(alignment) {}
        range where_;
        std::uint64_t alignment_;
    };

    /// @param parent outlives the backing.
    explicit carved(Parent& parent) noexcept : parent_(&parent) {}

    /// @brief Sizes and alignments are the parent's affair.
    [[nodiscard]] static constexpr std::size_t page_bytes() noexcept { return 1; }

    [[nodiscard]] range where(const region& block) const noexcept { return block.where_; }

    /// @brief Allocates the chunk.
    /// @par Errors `not_supported` where a range or a node is named; those of the parent
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept {
        if (wanted.within != anywhere || wanted.node != any_node)
            return fail(errc::not_supported);
        return parent_->allocate(wanted.bytes, wanted.alignment).map([&](address base) noexcept {
            return region({base, wanted.bytes}, wanted.alignment);
        });
    }

    /// @brief Gives the chunk back.
    /// @par Errors those of the parent; the region is as it was
    [[nodiscard]] result<void> unmap(region& block) noexcept {
        const range where = block.where_;
        return parent_->deallocate(where.base, where.bytes, block.alignment_).map([&]() noexcept {
            block.where_ = {};
        });
    }

  private:
    Parent* parent_;
};

} // namespace palloc::inline v0
