// SPDX-License-Identifier: MIT
/// @file
/// @brief Anonymous private memory of the process.
///
/// When to choose it: by default, for ordinary memory. Pages come on demand and zeroed. Costs: a
/// system call to map (three where the alignment exceeds a page), one to unmap; 24 bytes a chunk.
/// With `within` set the process's mappings are read first: O(mappings).
///
/// In a child of fork: a copy by default. Where it is absent, a child can do nothing with a region
/// but unmap it.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief How an `mmap_backing` maps.
struct mmap_options {
    bool reserve_swap = true; ///< false: MAP_NORESERVE, for ranges that will mostly stay untouched
    fork_treatment in_child = fork_treatment::copied; ///< or `absent`, or `wiped`
};

/// @brief Regions of anonymous private memory, readable and writable at first.
class mmap_backing {
  public:
    static constexpr bool is_touchable = true;

    /// @brief A mapping.
    class region {
        friend class mmap_backing;
        region(range where, std::uint64_t generation) noexcept
            : where_(where), generation_(generation) {}
        range where_;
        std::uint64_t generation_; ///< of the only process that has it; 0: children have it too
    };

    explicit mmap_backing(mmap_options options = {}) noexcept : options_(options) {}

    /// @brief The size of a page of this machine.
    [[nodiscard]] std::size_t page_bytes() const noexcept;

    /// @brief The addresses of a region, in whole pages; empty once it is unmapped.
    [[nodiscard]] range where(const region& mapped) const noexcept { return mapped.where_; }

    /// @brief What a child of fork finds.
    [[nodiscard]] fork_treatment in_child() const noexcept { return options_.in_child; }

    /// @brief Maps fresh zeroed memory.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `not_supported` where a node is
    /// named or the fork treatment is not one of the three; `out_of_memory` where `within` has no
    /// room; `os_failure`. Nothing stays mapped.
    /// @par Thread safety any thread
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept;

    /// @brief Gives the memory back.
    /// @par Errors `os_failure`; the region is as it was
    [[nodiscard]] result<void> unmap(region& mapped) noexcept;

    /// @brief Changes what may be done to some pages.
    /// @par Errors `bad_argument` unless `part` is whole pages of the region; `not_supported` in a
    /// child where it is absent; `os_failure`
    [[nodiscard]] result<void> protect(region& mapped, range part, permissions allowed) noexcept;

    /// @brief Puts the region under a protection key, or takes it from under it.
    /// @par Errors `bad_argument` for an alias, which there is none of; `not_supported` where the
    /// machine has no key left; `os_failure`
    [[nodiscard]] result<void> lock(region& mapped, view which) noexcept;
    [[nodiscard]] result<void> unlock(region& mapped, view which) noexcept;
    /// @brief Lets this thread store until it has closed as often as it has opened.
    void open_lock(region& mapped, view which) noexcept;
    void close_lock(region& mapped, view which) noexcept;

    /// @brief Gives the memory of the pages that lie wholly in `part` back.
    /// @par Errors `bad_argument` outside the region; `not_supported` in a child where it is
    /// absent; `os_failure`. Nothing changed.
    [[nodiscard]] result<void> discard(region& mapped, range part) noexcept;

  private:
    [[nodiscard]] static bool is_here(const region& mapped) noexcept;

    mmap_options options_;
};

static_assert(backing_can_map<mmap_backing> && memory_may_be_touched<mmap_backing>);
static_assert(backing_can_change_permissions<mmap_backing> && backing_can_discard<mmap_backing>);
static_assert(backing_states_fork_treatment<mmap_backing> && backing_has_keys<mmap_backing>);

} // namespace palloc::inline v0
