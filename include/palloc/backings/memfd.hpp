// SPDX-License-Identifier: MIT
/// @file
/// @brief Memory behind a nameless file: it can be shown twice, shown with other permissions at the
/// same addresses, and sealed so that nobody ever writes it again.
///
///     region:  where ──┐ the main view: replaced in place    (from an O_RDONLY re-open
///                      ├── pages of the file                   unless it is writable)
///              alias ──┘ a writable view elsewhere, while it is open
///
/// When to choose it: read-only data that the kernel vouches for, or code that is written through
/// one view and runs in another. Costs: a descriptor a chunk until it is sealed; six system calls
/// to map; 48 bytes a chunk. /proc must be mounted for views that are not writable.
///
/// In a child of fork: by default what is not writable is shared, and writable views are absent, so
/// that neither side can change what the other relies on. A child can do nothing with a region but
/// unmap it, but it inherits the descriptor, until it does so or execs. The file never allows
/// execution by name (MFD_NOEXEC_SEAL, where the kernel knows it).
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace palloc::inline v0 {

/// @brief How a `memfd` maps.
struct memfd_options {
    /// `read_only`; `absent`; or `shared`: then a child may write what the main view lets it write,
    /// and must unmap before the parent can seal.
    fork_treatment in_child = fork_treatment::read_only;
    const char* name = "palloc"; ///< shown in /proc/PID/maps; outlives the backing
};

/// @brief Regions of a file in memory, readable and writable at first.
/// @par Thread safety any thread maps; calls that name the same region, one at a time
class memfd {
  public:
    static constexpr bool is_touchable = true;

    /// @brief A file and its views.
    class region {
        friend class memfd;
        region(range where, int file, std::uint64_t generation) noexcept
            : where_(where), file_(file), generation_(generation) {}
        range where_;
        address alias_ = 0; ///< 0: none
        int file_;          ///< -1: closed
        int reader_ = -1;   ///< the same for reading, once parts of the view were replaced
        permissions view_ = permissions::read_write;
        bool sealed_ = false;
        std::uint64_t generation_; ///< the process that made it
    };

    explicit memfd(memfd_options options = {}) noexcept : options_(options) {}

    /// @brief The size of a page of this machine.
    [[nodiscard]] std::size_t page_bytes() const noexcept;

    /// @brief The addresses of the main view, in whole pages; empty once it is unmapped.
    [[nodiscard]] range where(const region& it) const noexcept { return it.where_; }

    /// @brief What a child of fork finds.
    [[nodiscard]] fork_treatment in_child() const noexcept { return options_.in_child; }

    /// @brief Makes a file and maps it.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `not_supported` where a node is named
    /// or the fork treatment is not one of the three; `out_of_memory` where `within` has no room;
    /// `os_failure`: EFBIG where RLIMIT_FSIZE forbids the size, EMFILE without descriptors.
    /// Nothing stays behind.
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept;

    /// @brief Closes the file and all its views. In a child, those that the child has.
    /// @par Errors `os_failure`; what is not gone yet can be unmapped again
    [[nodiscard]] result<void> unmap(region& it) noexcept;

    /// @brief Changes what may be done to some pages of the main view. A view that was not writable
    /// when it was placed never becomes so.
    /// @par Errors `bad_argument` unless `part` is whole pages of the region; `not_supported` in a
    /// child; `os_failure`
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept;

    /// @brief Gives the memory of the pages that lie wholly in `part` back; every view sees zeros.
    /// @par Errors `bad_argument` outside the region; `not_supported` in a child; `os_failure`:
    /// EPERM where sealed. Nothing changed.
    [[nodiscard]] result<void> discard(region& it, range part) noexcept;

    /// @brief Opens the writable view elsewhere. No child ever has it.
    /// @par Errors `bad_argument` where it is open; `not_supported` in a child; `os_failure`: EPERM
    /// where sealed
    [[nodiscard]] result<address> open_alias(region& it) noexcept;

    /// @brief Closes it.
    /// @par Errors `bad_argument` where none is open; `not_supported` in a child; `os_failure`
    [[nodiscard]] result<void> close_alias(region& it) noexcept;

    /// @brief Has the memory behind whole pages of the open alias there, so that writing them waits
    /// for none. Advice: does what it can, and nothing in a child, where sealed or where no alias
    /// is open.
    void populate(region& it, range part) noexcept;

    /// @brief Replaces the whole main view by one with other permissions, at the same addresses.
    /// Who reads meanwhile sees either view, and no fault between them.
    /// @par Errors `not_supported` in a child; `os_failure`: EPERM where it is sealed and `allowed`
    /// is writable. The view is as it was.
    [[nodiscard]] result<void> replace_view(region& it, permissions allowed) noexcept;

    /// @brief The same for some pages of it.
    /// @par Errors also `bad_argument` unless `part` is whole pages of the region
    [[nodiscard]] result<void> replace_view(region& it, range part, permissions allowed) noexcept;

    /// @brief From now on the file can only be written through the views that there are, whoever
    /// has a descriptor of it. Writable views can still be placed while the alias is open.
    /// @par Errors `not_supported` in a child or before Linux 5.1; `os_failure`
    [[nodiscard]] result<void> forbid_other_writers(region& it) noexcept;

    /// @brief Makes the kernel refuse every change of the contents for good, and closes the file.
    /// @par Errors `not_supported` in a child; `os_failure`: EBUSY while any view can be written,
    /// or was placed writable, or the pages are pinned. Nothing changed.
    [[nodiscard]] result<void> seal(region& it) noexcept;

    /// @brief Nobody unmaps, replaces or changes the main view before the process ends (mseal).
    /// @par Errors `not_supported` in a child; `os_failure`: ENOSYS where the kernel is older than
    /// 6.10
    [[nodiscard]] result<void> make_permanent(region& it) noexcept;

    /// @brief Makes the region longer or shorter at its end, rounded up to whole pages. Where the
    /// addresses behind it are taken, its pages move, contents and all, if they may: `where` tells
    /// where to, which is a multiple of a page and need be no more, nor lie in the `within` that it
    /// was mapped with. New pages are zeros.
    /// @par Errors `zero_size`; `too_large`; `no_room` where it would have to move; `bad_argument`
    /// while the alias is open; `not_supported` in a child; `os_failure`: EFBIG as for `map`, EPERM
    /// where sealed or closed to other writers, EFAULT where parts of the view were replaced.
    /// Nothing changed, unless `where` is shorter: then the kernel refused to shorten the file, and
    /// another thread has taken the addresses meanwhile.
    /// @par Complexity three system calls, four to grow where the addresses are taken
    [[nodiscard]] result<void> resize(region& it, std::uint64_t bytes, bool may_move) noexcept;

    /// @brief Maps the pages of a part once more, writable, elsewhere. No child ever has them.
    /// @return where the part begins there
    /// @par Errors `bad_argument` outside the region; `not_supported` in a child; `os_failure`:
    /// EPERM where sealed
    /// @par Thread safety any thread, also for the same region
    [[nodiscard]] result<address> open_part(region& it, range part) noexcept;
    /// @brief Unmaps them: `opened` is what was answered, with the size asked for.
    [[nodiscard]] result<void> close_part(region& it, range opened) noexcept;

    /// @brief Writes through the descriptor, whatever the views allow.
    /// @par Errors `bad_argument` outside the region; `not_supported` in a child; `os_failure`:
    /// EPERM where sealed
    /// @par Thread safety any thread, also for the same region
    [[nodiscard]] result<void> store(region& it, address place,
                                     std::span<const std::byte> bytes) noexcept;

    /// @brief Puts a view under a protection key, or takes it from under it.
    /// @par Errors `bad_argument` where there is no such view; `not_supported` in a child, or where
    /// the machine has no key left; `os_failure`
    [[nodiscard]] result<void> lock(region& it, view which) noexcept;
    [[nodiscard]] result<void> unlock(region& it, view which) noexcept;
    /// @brief Lets this thread store through the view until it has closed as often as opened.
    void open_lock(region& it, view which) noexcept;
    void close_lock(region& it, view which) noexcept;

  private:
    [[nodiscard]] static range seen_by(const region& it, view which) noexcept {
        return which == view::main ? it.where_ : range{it.alias_, it.where_.bytes};
    }
    [[nodiscard]] result<void> place_reading(region& it, range part, permissions allowed) noexcept;
    [[nodiscard]] result<void> place_writable(const region& it, range part) noexcept;
    [[nodiscard]] static result<void> shorten(region& it, std::uint64_t bytes) noexcept;

    memfd_options options_;
};

static_assert(backing_can_map<memfd> && memory_may_be_touched<memfd>);
static_assert(backing_can_change_permissions<memfd> && backing_can_seal<memfd>);
static_assert(backing_replaces_parts_of_views<memfd> && backing_can_forbid_writers<memfd>);
static_assert(backing_can_populate<memfd>);
static_assert(backing_can_make_permanent<memfd> && backing_can_open_parts<memfd>);
static_assert(backing_can_store<memfd> && backing_has_keys<memfd>);
static_assert(backing_states_fork_treatment<memfd> && backing_can_discard<memfd>);

} // namespace palloc::inline v0
