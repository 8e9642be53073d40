// SPDX-License-Identifier: MIT
/// @file
/// @brief Memory in the largest pages that there are: 1 GiB, 2 MiB, transparent, ordinary.
///
/// When to choose it: large chunks that are used all over, or whose physical addresses a device
/// must know. Costs: a system call for each rung that is tried; 32 bytes a chunk.
///
///     rung         pages     is tried where                                  is refused where
///     gigantic     1 GiB     the size is a multiple                          none are left
///     huge         2 MiB     the size is a multiple                          none are left
///     transparent  2 MiB     the size is 2 MiB or more; the kernel provides  never: may stay small
///     base         ordinary  always
///
/// Gigantic and huge pages are reserved while mapping: where they run out, the next rung is tried,
/// and no access dies later. They are the administrator's (vm.nr_hugepages).
///
/// In a child of fork: absent. With `copied` or `wiped` only the lower two rungs are tried, as a
/// child might find no large page for its copy, and would be killed.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace palloc::inline v0 {

/// @brief What pages a region has, in ascending order of their size.
enum class page_rung : std::uint8_t { base, transparent, huge, gigantic };

/// @brief The name of a rung, as it is spelled in the source.
[[nodiscard]] constexpr std::string_view to_string(page_rung rung) noexcept {
    constexpr std::string_view names[] = {"base", "transparent", "huge", "gigantic"};
    return names[static_cast<std::size_t>(rung)];
}

/// @brief Which rungs a `hugepage` may take, and what becomes of its memory.
struct hugepage_options {
    bool gigantic = true;
    bool huge = true;
    bool transparent = true;
    bool base = true;
    bool populate = false; ///< touch every page while mapping, so that it is there or refused
    fork_treatment in_child = fork_treatment::absent; ///< or `copied`, or `wiped`
};

/// @brief Regions of private memory, readable and writable at first, each on the highest rung that
/// it can have.
class hugepage {
  public:
    static constexpr bool is_touchable = true;

    /// @brief A mapping, and the pages it has.
    class region {
        friend class hugepage;
        region(range where, page_rung rung, std::uint64_t generation) noexcept
            : where_(where), generation_(generation), rung_(rung) {}
        range where_;
        std::uint64_t generation_; ///< of the only process that has it; 0: children have it too
        page_rung rung_;
    };

    explicit hugepage(hugepage_options options = {}) noexcept : options_(options) {}

    /// @brief The size of the smallest pages that the options allow.
    [[nodiscard]] std::size_t page_bytes() const noexcept;

    /// @brief The size of the pages of a region, as system calls about it count them.
    [[nodiscard]] std::size_t page_bytes(const region& it) const noexcept;

    /// @brief The addresses of a region, in whole pages; empty once it is unmapped.
    [[nodiscard]] range where(const region& it) const noexcept { return it.where_; }

    /// @brief The rung that a region reached.
    [[nodiscard]] page_rung rung(const region& it) const noexcept { return it.rung_; }

    /// @brief What a child of fork finds.
    [[nodiscard]] fork_treatment in_child() const noexcept { return options_.in_child; }

    /// @brief Maps fresh zeroed memory on the highest rung that is allowed and has room.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `bad_argument` where no rung is
    /// allowed; `not_supported` where a node is named, where the fork treatment is not one of the
    /// three or leaves no rung; else that of the lowest rung tried: `out_of_memory` where `within`
    /// has no room, `os_failure`: ENOMEM without pages. Nothing stays mapped.
    /// @par Thread safety any thread
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept;

    /// @brief Gives the memory back.
    /// @par Errors `os_failure`; the region is as it was
    [[nodiscard]] result<void> unmap(region& it) noexcept;

    /// @brief Changes what may be done to some pages.
    /// @par Errors `bad_argument` unless `part` is whole pages of the region, large ones where it
    /// has them; `not_supported` in a child where it is absent; `os_failure`
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept;

    /// @brief Gives the memory of the pages that lie wholly in `part` back: large ones, where the
    /// region has them. Those stay promised to the region: no other gets them while it is mapped.
    /// @par Errors `bad_argument` outside the region; `not_supported` in a child where it is
    /// absent; `os_failure`: EINVAL for large pages before Linux 5.18. Nothing changed.
    [[nodiscard]] result<void> discard(region& it, range part) noexcept;

    /// @brief The physical address of `place`; its page is made to be there. It stays right while
    /// the page is neither moved nor swapped, which gigantic and huge pages never are in practice,
    /// and others are unless they are locked.
    /// @par Errors `not_ours` outside the region; `not_supported` where the kernel hides physical
    /// addresses from this process (it shows them to CAP_SYS_ADMIN only) or, in a child, where the
    /// region is absent; `os_failure`
    /// @par Complexity three system calls
    [[nodiscard]] result<address> physical(const region& it, address place) const noexcept;

  private:
    [[nodiscard]] result<region> map_on(page_rung rung, const map_request& wanted,
                                        std::uint64_t generation) const noexcept;

    hugepage_options options_;
};

static_assert(backing_can_map<hugepage> && memory_may_be_touched<hugepage>);
static_assert(backing_can_change_permissions<hugepage> && backing_can_discard<hugepage>);
static_assert(backing_tells_page_sizes<hugepage>);
static_assert(backing_knows_physical_addresses<hugepage>);
static_assert(backing_states_fork_treatment<hugepage>);

} // namespace palloc::inline v0
