// SPDX-License-Identifier: MIT
/// @file
/// @brief Windows: memory behind a nameless section: it can be shown twice, shown with other
/// permissions at the same addresses, and closed so that nobody ever writes it again.
///
///     region:  where ──┐ the main view: swapped in place     (for reading, or for writing)
///                      ├── pages of the section
///              alias ──┘ a writable view elsewhere, while it is open
///
/// When to choose it: on Windows, for read-only data that no call of the process writes any more,
/// or code that is written through one view and runs in another. Costs: a handle a chunk until it
/// is sealed; two system calls to map; 72 bytes a chunk, and 64 of the default metadata. Works in
/// units of 64 KiB, which is what views begin at: the smallest region has that size.
///
/// A view that was mapped for reading never becomes writable: VirtualProtect and WriteProcessMemory
/// refuse. What is left to an attacker in the process is to end the view and map something else, or
/// to turn its pages into private copies (PAGE_WRITECOPY): that replaces them for this process, and
/// leaves the section as it is.
///
/// To swap a view is two calls. Where the system has placeholders (Windows 10 1803) the addresses
/// are held in between; elsewhere another thread may be given them, and the view is not there until
/// a later call finds them free: the contents are safe. Who reads meanwhile faults either way.
/// Regions are put at random places there, so that this does not happen by chance.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief Regions of a section, readable and writable at first.
/// @par Thread safety any thread maps; calls that name the same region, one at a time
class section {
  public:
    static constexpr bool is_touchable = true;

    /// @brief A section and its views.
    class region {
        friend class section;
        region(range where, void* handle, std::atomic<std::uint32_t>* parts,
               bool may_execute) noexcept
            : where_(where), handle_(handle), parts_(parts), may_execute_(may_execute) {}
        range where_;
        range lost_{};      ///< units whose view could not be placed; empty: none
        void* handle_;      ///< null: closed
        address alias_ = 0; ///< 0: none
        /// Parts that are open; elsewhere, since regions may lie where nothing can be written.
        std::atomic<std::uint32_t>* parts_;
        permissions view_ = permissions::read_write; ///< of the main view, while it is one
        bool is_writer_ = true;                      ///< mapped for writing; while it is one view
        permissions lost_view_ = permissions::none;  ///< what the lost units allowed
        bool lost_writer_ = false;
        bool is_split_ = false; ///< the main view is one view a unit
        bool may_execute_;
    };

    section() = default;

    /// @brief What views begin at multiples of: 64 KiB.
    [[nodiscard]] std::size_t page_bytes() const noexcept;

    /// @brief The addresses of the main view; empty once it is unmapped.
    [[nodiscard]] range where(const region& it) const noexcept { return it.where_; }

    /// @brief Makes a section and maps it.
    /// @par Errors `zero_size`; `too_large`; `bad_alignment`; `not_supported` where a node is
    /// named; `out_of_memory` where `within` has no room; `os_failure`: 1455 where the system has
    /// no memory left to promise. Nothing stays behind.
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept;

    /// @brief Ends the section and all its views, but for parts that are open.
    /// @par Errors `os_failure`; what is not gone yet can be unmapped again
    [[nodiscard]] result<void> unmap(region& it) noexcept;

    /// @brief Changes what may be done to some pages of the main view, which is swapped only where
    /// it cannot allow that as it is.
    /// @par Errors `bad_argument` unless `part` is whole units of the region; `not_supported`: to
    /// execute, where the process may not make code; `os_failure`: 5 where it is sealed and
    /// `allowed` is writable
    [[nodiscard]] result<void> protect(region& it, range part, permissions allowed) noexcept;

    /// @brief Opens the writable view elsewhere.
    /// @par Errors `bad_argument` where it is open; `os_failure`: 5 where sealed
    [[nodiscard]] result<address> open_alias(region& it) noexcept;

    /// @brief Closes it.
    /// @par Errors `bad_argument` where none is open; `os_failure`
    [[nodiscard]] result<void> close_alias(region& it) noexcept;

    /// @brief Swaps the whole main view for one with other permissions, at the same addresses.
    /// @par Errors as `protect`, and `too_large` where it allows different things in more than 64
    /// places; the view is as it was, or is not there until a later call
    [[nodiscard]] result<void> replace_view(region& it, permissions allowed) noexcept;

    /// @brief The same for some units of it. The first such call makes the main view one view a
    /// unit.
    /// @par Errors also `bad_argument` unless `part` is whole units of the region
    [[nodiscard]] result<void> replace_view(region& it, range part, permissions allowed) noexcept;

    /// @brief Closes the section: nobody in this process, nor any other, maps it for writing again.
    /// @par Errors `os_failure`: 170 while any view can be written, or was mapped for writing.
    /// Nothing changed.
    [[nodiscard]] result<void> seal(region& it) noexcept;

    /// @brief Maps the pages of a part once more, writable, elsewhere.
    /// @return where the part begins there
    /// @par Errors `bad_argument` outside the region; `os_failure`: 5 where sealed
    /// @par Thread safety any thread, also for the same region
    [[nodiscard]] result<address> open_part(region& it, range part) noexcept;
    /// @brief Unmaps them: `opened` is what was answered, with the size asked for.
    [[nodiscard]] result<void> close_part(region& it, range opened) noexcept;

  private:
    struct run; ///< units that are alike
    class changing;

    [[nodiscard]] static result<void> show(region& it, range part, permissions allowed,
                                           bool may_stay) noexcept;
};

static_assert(backing_can_map<section> && memory_may_be_touched<section>);
static_assert(backing_can_change_permissions<section> && backing_can_seal<section>);
static_assert(backing_replaces_parts_of_views<section> && backing_can_open_parts<section>);

} // namespace palloc::inline v0
