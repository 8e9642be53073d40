// SPDX-License-Identifier: MIT
/// @file
/// @brief Memory that the kernel takes out of its own view: neither /proc/PID/mem nor ptrace nor a
/// dump nor swap shows it.
///
/// When to choose it: keys and passwords. Costs: six system calls to map; the memory is locked,
/// and counts against RLIMIT_MEMLOCK, of which `lockable_bytes` says how much is left; 24 bytes a
/// chunk. It is never executable, cannot be sealed, and another thread reads it as ever.
///
/// In a child of fork: absent by default.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief How a `secret` maps.
struct secret_options {
    fork_treatment in_child = fork_treatment::absent; ///< or `shared`
};

/// @brief Regions of secret memory, readable and writable at first.
class secret {
  public:
    static constexpr bool is_touchable = true;
    static constexpr bool is_executable = false; ///< `permissions::read_execute` is refused

    /// @brief A mapping. Its file is closed already, so that nobody maps it again.
    class region {
        friend class secret;
        region(range where, std::uint64_t generation) noexcept
            : where_(where), generation_(generation) {}
        range where_;
        std::uint64_t generation_; ///< of the only process that has it; 0: children have it too
    };

    explicit secret(secret_options options = {}) noexcept : options_(options) {}

    /// @brief The size of a page of this machine.
    [[nodiscard]] std::size_t page_bytes() const noexcept;

    /// @brief The addresses of a region, in whole pages; empty once it is unmapped.
    [[nodiscard]] range where(const region& it) const noexcept { return it.where_; }

    /// @brief What a child of fork finds.
    [[nodiscard]] fork_treatment in_child() const noexcept { return options_.in_child; }

    /// @brief How much more this process may lock now: 2^64 - 1 where nothing limits it. What the
    /// process locks by other means counts as well.
    /// @par Errors `os_failure`
    /// @par Complexity at most seven system calls
    [[nodiscard]] result<std::uint64_t> lockable_bytes() const noexcept;

    /// @brief Maps fresh zeroed memory.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `over_limit` where RLIMIT_MEMLOCK
    /// forbids it; `not_supported` where the kernel has no secret memory (before 5.14, or switched
    /// off), where a node is named, or the fork treatment is not one of the two; `out_of_memory`
    /// where `within` has no room; `os_failure`: EFBIG where RLIMIT_FSIZE forbids the size. Nothing
    /// stays behind.
    /// @par Thread safety any thread
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept;

    /// @brief Gives the memory back; the kernel has zeroed it before anybody gets it.
    /// @par Errors `os_failure`; the region is as it was
    [[nodiscard]] result<void> unmap(region& it) noexcept;

    /// @brief Changes what may be done to some pages.
    /// @par Errors `bad_argument` unless `part` is whole pages of the region; `not_supported` for
    /// `read_execute`, and in a child where it is absent; `os_failure`
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept;

  private:
    secret_options options_;
};

static_assert(backing_can_map<secret> && memory_may_be_touched<secret>);
static_assert(backing_can_change_permissions<secret> && backing_states_fork_treatment<secret>);

} // namespace palloc::inline v0
