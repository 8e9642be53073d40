// SPDX-License-Identifier: MIT
/// @file
/// @brief The seam on Windows: every call to the system goes through here, so that a test can make
/// the nth of any kind fail.
///
/// Each function is one system call, and answers GetLastError as an error; the thread's last error
/// is left alone. Costs: two relaxed atomic additions a call. What is younger than Windows 8 is
/// looked up at run time, and is `not_supported` where it is missing.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace palloc::inline v0::os {

/// @brief What may be made to fail.
enum class call : std::uint8_t {
    allocate,
    commit,
    decommit,
    release,
    protect,
    query,
    split,
    section,
    map,
    unmap,
    close,
    token,
    flush,
    random,
    any,
};

/// @brief The `n`th call of this kind from now on (1: the next) fails with `code` instead of being
/// made. One wish per kind; a new one replaces it, `n` = 0 withdraws it.
void fail_nth(call kind, std::uint64_t n, int code) noexcept;

/// @brief How many calls of this kind there were so far, failed ones included.
[[nodiscard]] std::uint64_t calls(call kind) noexcept;

/// @brief The size of a page.
[[nodiscard]] std::size_t page_bytes() noexcept;
/// @brief What the bases of allocations and views are multiples of: 64 KiB.
[[nodiscard]] std::size_t granularity() noexcept;
/// @brief The addresses that a process may ask for.
[[nodiscard]] range user_space() noexcept;
/// @brief A number that differs from call to call.
[[nodiscard]] std::uint64_t ticks() noexcept;
/// @brief The size of a large page; 0 where the machine has none.
[[nodiscard]] std::size_t large_page_bytes() noexcept;

// Errors that are expected.
inline constexpr int access_denied = 5;
inline constexpr int not_enough_memory = 8;
inline constexpr int invalid_parameter = 87;
inline constexpr int busy = 170;
inline constexpr int address_taken = 487;
inline constexpr int not_all_assigned = 1300;
inline constexpr int dynamic_code_blocked = 1655;

// ---------------------------------------------------------------- private memory

/// @brief What an allocation is made of.
enum class kind_of_pages : std::uint8_t {
    addresses,   ///< reserved only
    committed,   ///< reserved and committed
    large,       ///< the same in large pages
    placeholder, ///< addresses that views and allocations take the place of
};

/// @brief VirtualAlloc; `at` = 0: anywhere.
[[nodiscard]] result<address> allocate(address at, std::uint64_t bytes,
                                       kind_of_pages kind) noexcept;
/// @brief VirtualAlloc2, with an alignment and a range.
/// @par Errors `not_supported` where the system has no such call
[[nodiscard]] result<address> allocate_within(range within, std::uint64_t alignment,
                                              std::uint64_t bytes, kind_of_pages kind) noexcept;
/// @brief VirtualAlloc of reserved pages.
[[nodiscard]] result<void> commit(range where, permissions allowed) noexcept;
/// @brief VirtualFree of pages, which stay reserved.
[[nodiscard]] result<void> decommit(range where) noexcept;
/// @brief VirtualFree of a whole allocation, or of a placeholder.
[[nodiscard]] result<void> release(address base) noexcept;
/// @brief VirtualProtect.
[[nodiscard]] result<void> protect(range where, permissions allowed) noexcept;

/// @brief What there is at an address.
struct pages_there {
    range where{};          ///< alike, from the address on
    address allocation = 0; ///< the base of the allocation or view
    bool is_free = false;
    bool is_committed = false;
    bool is_placed_writable = false; ///< as which it was placed, whatever may be done to it now
    permissions allowed = permissions::none;
};
/// @brief VirtualQuery.
[[nodiscard]] result<pages_there> query(address at) noexcept;

// ---------------------------------------------------------------- sections

/// @brief A handle of the system.
using handle = void*;

/// @brief CreateFileMapping without a file or a name.
[[nodiscard]] result<handle> make_section(std::uint64_t bytes, bool executable) noexcept;
/// @brief CloseHandle. The handle is gone even where this fails.
[[nodiscard]] result<void> close(handle it) noexcept;

/// @brief What a view allows at most, whatever is done to it later.
enum class view_kind : std::uint8_t {
    writer,   ///< loads and stores
    reader,   ///< loads
    executer, ///< loads and instruction fetches
};

/// @brief MapViewOfFileEx; `at` = 0: anywhere.
[[nodiscard]] result<address> map_view(handle section, std::uint64_t offset, std::uint64_t bytes,
                                       view_kind kind, address at) noexcept;
/// @brief UnmapViewOfFile.
[[nodiscard]] result<void> unmap_view(address base) noexcept;

/// @brief Whether addresses can be held while no view is there. Tried once.
[[nodiscard]] bool has_placeholders() noexcept;
/// @brief MapViewOfFile3 in the place of a placeholder of that size.
[[nodiscard]] result<void> map_over(handle section, std::uint64_t offset, range placeholder,
                                    view_kind kind) noexcept;
/// @brief UnmapViewOfFile2, which leaves a placeholder.
[[nodiscard]] result<void> unmap_to_placeholder(address base) noexcept;
/// @brief VirtualFree that parts a placeholder in two.
[[nodiscard]] result<void> split_placeholder(range first) noexcept;

// ---------------------------------------------------------------- the process

/// @brief A few bytes that nobody can guess: rand_s.
[[nodiscard]] result<void> random(std::span<std::byte> into) noexcept;
/// @brief Asks for the privilege that large pages need, for the whole process.
/// @par Errors `not_supported` where the user does not have it
[[nodiscard]] result<void> take_large_page_privilege() noexcept;
/// @brief FlushInstructionCache, and FlushProcessWriteBuffers, which interrupts the other cores.
[[nodiscard]] result<void> flush_instructions(range changed) noexcept;

} // namespace palloc::inline v0::os
