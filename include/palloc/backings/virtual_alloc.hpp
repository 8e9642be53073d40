// SPDX-License-Identifier: MIT
/// @file
/// @brief Windows: private memory of the process, by VirtualAlloc.
///
/// When to choose it: on Windows, by default. `virtual_alloc` reserves addresses, and a block's
/// pages are committed when the pool hands the block out and decommitted with it: where the system
/// has no memory left to promise, that request fails, and nothing else does. `committed_alloc`
/// commits all of a region as it is mapped: no call for each block, and stores never fail later.
/// Costs: a system call to map, one to unmap, and in `virtual_alloc` one for each block either way;
/// 40 bytes a chunk. Giving memory back never needs any.
///
/// Regions begin at multiples of 64 KiB, and are whole pages of 4 KiB. Where an alignment or a
/// range is wished for, VirtualAlloc2 finds the place where the system has it and heeds them; else
/// the free places are tried in turn, O(allocations of the process).
///
/// Large pages are committed as they are mapped, in either: they are taken for sizes that are a
/// multiple of theirs, if the user has the privilege for it (SeLockMemoryPrivilege).
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief How a `virtual_alloc` maps.
struct virtual_alloc_options {
    /// @brief Large pages: `required` ones are had, or `map` answers `not_supported`.
    enum class large_pages : std::uint8_t { never, if_possible, required };

    large_pages large = large_pages::never;
};

/// @brief What a region of a `virtual_alloc` is.
class virtual_alloc_region {
    template <bool>
    friend class basic_virtual_alloc;
    virtual_alloc_region(range where, bool is_large) noexcept
        : where_(where), is_large_(is_large) {}
    range where_;
    permissions allowed_ = permissions::read_write; ///< of pages that are committed from now on
    bool is_large_;
    bool is_mixed_ = false; ///< some of its pages may allow something else
};

/// @tparam CommitsOnClaim  whether pages are committed by `commit`, and not by `map`
template <bool CommitsOnClaim>
class basic_virtual_alloc {
  public:
    static constexpr bool is_touchable = true;
    static constexpr bool is_concurrent = true;

    using region = virtual_alloc_region;

    explicit basic_virtual_alloc(virtual_alloc_options options = {}) noexcept : options_(options) {}

    /// @brief The size of a page of this machine; not of a large one.
    [[nodiscard]] std::size_t page_bytes() const noexcept;

    /// @brief The addresses of a region, in whole pages; empty once it is unmapped.
    [[nodiscard]] range where(const region& it) const noexcept { return it.where_; }

    /// @brief Whether it has large pages.
    [[nodiscard]] bool is_large(const region& it) const noexcept { return it.is_large_; }

    /// @brief Whether this user may have large pages, and the machine has them. Asks the system.
    /// @par Errors `not_supported`: no such pages, or without the privilege; `os_failure`
    [[nodiscard]] static result<std::size_t> large_page_bytes() noexcept;

    /// @brief Reserves addresses, or maps zeroed memory.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `not_supported` where a node is
    /// named, or large pages are required and cannot be had; `out_of_memory` where `within` has no
    /// room; `os_failure`. Nothing stays mapped.
    /// @par Thread safety any thread
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept;

    /// @brief Gives addresses and memory back.
    /// @par Errors `os_failure`; the region is as it was
    [[nodiscard]] result<void> unmap(region& it) noexcept;

    /// @brief Changes what may be done to some pages. Of those, pages that are not committed allow
    /// it later only if the whole region was named.
    /// @par Errors `bad_argument` unless `part` is whole pages of the region; `os_failure`: nothing
    /// changed, but in a region whose pages differ those before the failure have
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept;

    /// @brief Commits the pages that `part` touches; those that are keep what they hold.
    /// @par Errors `bad_argument` outside the region; `os_failure`: 1455 where the system has no
    /// memory left to promise. Nothing changed, but in a region whose pages differ those before the
    /// failure may be committed.
    /// @par Thread safety any thread
    [[nodiscard]] result<void> commit(region& it, range part) noexcept
        requires CommitsOnClaim
    {
        return commit_pages(it, part);
    }

    /// @brief Gives the memory of the pages that lie wholly in `part` back; they are zero when they
    /// are committed again.
    /// @par Errors `bad_argument` outside the region; `not_supported` of large pages, which stay;
    /// `os_failure`. Nothing changed.
    /// @par Thread safety any thread
    [[nodiscard]] result<void> decommit(region& it, range part) noexcept
        requires CommitsOnClaim
    {
        return decommit_pages(it, part);
    }

  private:
    [[nodiscard]] static result<void> protect_committed(const region& it, range part,
                                                        permissions allowed) noexcept;
    [[nodiscard]] static result<void> commit_pages(region& it, range part) noexcept;
    [[nodiscard]] static result<void> decommit_pages(region& it, range part) noexcept;
    [[nodiscard]] result<region> map_large(const map_request& wanted) noexcept;

    virtual_alloc_options options_;
};

/// @brief Addresses first; a block's pages when the block is handed out.
using virtual_alloc = basic_virtual_alloc<true>;
/// @brief Memory that is there as soon as it is mapped.
using committed_alloc = basic_virtual_alloc<false>;

extern template class basic_virtual_alloc<true>;
extern template class basic_virtual_alloc<false>;

static_assert(backing_can_map<virtual_alloc> && memory_may_be_touched<virtual_alloc>);
static_assert(backing_can_commit<virtual_alloc> && concurrent_backing<virtual_alloc>);
static_assert(backing_can_change_permissions<virtual_alloc>);
static_assert(backing_can_map<committed_alloc> && !backing_can_commit<committed_alloc>);
static_assert(backing_can_change_permissions<committed_alloc>);

} // namespace palloc::inline v0
