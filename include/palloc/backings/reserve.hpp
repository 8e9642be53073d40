// SPDX-License-Identifier: MIT
/// @file
/// @brief Address space first, memory later: pages are committed one by one, given up, and moved.
///
/// When to choose it: one chunk of gigabytes whose blocks come and go in whole pages, as vmalloc's;
/// a stray access beyond a block faults. Costs: a system call to commit and one to decommit, which
/// the pool makes a block; three to move pages, whatever their number; 24 bytes a chunk. Each run
/// of committed pages is a mapping of its own, and a process has only so many.
///
/// A page that is committed partly counts as committed, and stays so while only part of it is given
/// up: blocks should be whole pages. In a child of fork: a copy by default.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief How a `reserve` maps.
struct reserve_options {
    fork_treatment in_child = fork_treatment::copied; ///< or `absent`, or `wiped`
};

/// @brief Regions of which nothing may be touched at first.
/// @par Thread safety any thread, for parts that share no page
class reserve {
  public:
    static constexpr bool is_touchable = true;
    static constexpr bool is_concurrent = true;

    /// @brief A mapping without memory.
    class region {
        friend class reserve;
        region(range where, std::uint64_t generation, bool keeps_mappings) noexcept
            : where_(where), generation_(generation), keeps_mappings_(keeps_mappings) {}
        range where_;
        std::uint64_t generation_; ///< of the only process that has it; 0: children have it too
        bool keeps_mappings_;
    };

    explicit reserve(reserve_options options = {}) noexcept : options_(options) {}

    /// @brief The size of a page of this machine.
    [[nodiscard]] std::size_t page_bytes() const noexcept;

    /// @brief The addresses of a region, in whole pages; empty once it is unmapped.
    [[nodiscard]] range where(const region& it) const noexcept { return it.where_; }

    /// @brief What a child of fork finds.
    [[nodiscard]] fork_treatment in_child() const noexcept { return options_.in_child; }

    /// @brief Takes addresses. No memory is taken, and none promised.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `not_supported` where a node is named
    /// or the fork treatment is not one of the three; `out_of_memory` where `within` has no room;
    /// `os_failure`. Nothing stays mapped.
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept;

    /// @brief Gives the addresses and what is committed back.
    /// @par Errors `os_failure`; the region is as it was
    [[nodiscard]] result<void> unmap(region& it) noexcept;

    /// @brief Makes every page that `part` touches readable and writable; zeroed, unless it was
    /// committed already.
    /// @par Errors `bad_argument` outside the region; `not_supported` in a child where it is
    /// absent; `os_failure`: ENOMEM where the system has no memory to promise or the process too
    /// many mappings. Some of the pages may be committed then.
    [[nodiscard]] result<void> commit(region& it, range part) noexcept;

    /// @brief Gives up every page that lies wholly in `part`: its memory, its contents, access.
    /// Where the process has no mapping left to tell the pages apart, they stay accessible, zeroed.
    /// @par Errors `bad_argument` outside the region; `not_supported` in a child where it is
    /// absent; `os_failure`: no contents are lost, and all of the pages are committed
    [[nodiscard]] result<void> decommit(region& it, range part) noexcept;

    /// @brief From now on the mapping itself stays when pages are decommitted, and with it what the
    /// system was told of it, such as a node. Costs a second system call then, and the system's
    /// promise of memory is kept.
    void keep_mappings(region& it) noexcept { it.keeps_mappings_ = true; }

    /// @brief Moves pages with what they hold to `place`, in place of what is there; where they
    /// were nothing is committed any more. The pages are copied only where the kernel cannot move
    /// them together.
    /// @pre The pages are committed, as are those at `place`.
    /// @par Errors `bad_argument` unless both ends are whole pages of their regions and apart;
    /// `not_supported` in a child where they are absent; `os_failure`; nothing moved
    [[nodiscard]] result<void> move_pages(region& from, range part, region& to,
                                          address place) noexcept;

  private:
    [[nodiscard]] static bool is_here(const region& it) noexcept;

    reserve_options options_;
};

static_assert(backing_can_map<reserve> && memory_may_be_touched<reserve>);
static_assert(backing_can_move_pages<reserve> && concurrent_backing<reserve>);
static_assert(backing_states_fork_treatment<reserve> && backing_can_keep_mappings<reserve>);

} // namespace palloc::inline v0
