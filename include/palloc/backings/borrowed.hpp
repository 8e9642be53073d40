// SPDX-License-Identifier: MIT
/// @file
/// @brief Somebody else's memory: given to the pool as ranges of addresses, never touched by it.
///
/// When to choose it: device memory, a boot-time reservation, a static array, any numbers that are
/// to be handed out like addresses. Costs: 32 bytes a chunk; no system call.
///
/// `borrowed` promises nothing about the memory; `borrowed_touchable` is for ranges that this
/// process may read and write, and makes the bridges to std::pmr available.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>

namespace palloc::inline v0 {

/// @brief Takes over ranges, with the physical address and the owner that each may have.
/// @tparam Touchable whether the ranges are this process's own readable and writable memory.
template <bool Touchable>
class basic_borrowed {
  public:
    static constexpr bool is_touchable = Touchable;

    /// @brief The range has no physical address.
    static constexpr address no_physical = ~address{0};

    /// @brief What is known of a range.
    struct adoption {
        range where;
        address physical = no_physical; ///< of the first byte
        void* owner = nullptr;          ///< whatever the caller wants to find again
    };

    /// @brief What is remembered of one: the same.
    using region = adoption;

    /// @brief Any size and alignment will do.
    [[nodiscard]] static constexpr std::size_t page_bytes() noexcept { return 1; }

    /// @brief Takes over a range, which must stay valid until it is unmapped.
    /// @par Errors `bad_argument` where the range runs past 2^64
    [[nodiscard]] static constexpr result<region> adopt(adoption given) noexcept {
        if (given.where.bytes != 0 && given.where.base + (given.where.bytes - 1) < given.where.base)
            return fail(errc::bad_argument);
        return given;
    }

    [[nodiscard]] static constexpr range where(const region& lent) noexcept { return lent.where; }

    /// @brief The range is its owner's again.
    [[nodiscard]] static constexpr result<void> unmap(region& lent) noexcept {
        lent = {};
        return {};
    }

    /// @brief The physical address of `place`.
    /// @par Errors `not_ours` outside the region, `not_supported` where it has none
    [[nodiscard]] static constexpr result<address> physical(const region& lent,
                                                            address place) noexcept {
        if (!lent.where.contains(place))
            return fail(errc::not_ours);
        if (lent.physical == no_physical)
            return fail(errc::not_supported);
        return lent.physical + (place - lent.where.base);
    }

    /// @brief The owner that the adoption named.
    [[nodiscard]] static constexpr void* owner(const region& lent) noexcept { return lent.owner; }
};

using borrowed = basic_borrowed<false>;
using borrowed_touchable = basic_borrowed<true>;

static_assert(backing_can_adopt<borrowed> && !backing_can_map<borrowed>);
static_assert(backing_knows_physical_addresses<borrowed> && backing_knows_owners<borrowed>);
static_assert(!memory_may_be_touched<borrowed> && memory_may_be_touched<borrowed_touchable>);

} // namespace palloc::inline v0
