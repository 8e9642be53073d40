// SPDX-License-Identifier: MIT
/// @file
/// @brief What memory with code in it has to know about the process: its other cores, its forks.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief The byte that fills memory in which nothing may be executed: each instruction made of it
/// traps. (On x86 INT3; elsewhere zeros are no instruction.)
#if defined(__x86_64__) || defined(__i386__)
inline constexpr std::byte trap_byte{0xCC};
#else
inline constexpr std::byte trap_byte{0};
#endif

/// @brief Makes stores visible to instruction fetch at the addresses `changed`, by whatever
/// addresses they were stored: writes data caches back and empties instruction caches, of all
/// cores, where the architecture leaves that to programs; nothing on x86. What a core has fetched
/// already it may still execute.
/// @pre  Every byte can be read at these addresses, or the processor may fault.
/// @par Complexity  O(bytes)
/// @par Thread safety  any thread
inline void flush_instructions(range changed) noexcept {
    __builtin___clear_cache(reinterpret_cast<char*>(changed.base),
                            reinterpret_cast<char*>(changed.base + changed.bytes));
}

/// @brief The same for `changed`, which may be empty, and has every core that runs this process
/// serialise: nothing that it fetched before is executed afterwards.
/// @par Errors  `not_supported`: a kernel without membarrier's SYNC_CORE (before 4.16);
/// `os_failure`
/// @par Complexity  one system call, which interrupts the other cores
/// @par Thread safety  any thread
[[nodiscard]] result<void> synchronise_instructions(range changed) noexcept;

namespace detail {

/// Has `call` called when this thread ends, after the destructors of its `thread_local` objects;
/// one for each thread. False where nobody can promise that: there is no key left, or no memory. (A
/// `thread_local` object's destructor would be registered with memory, for want of which the C
/// library ends the process.) The main thread's is not called where `exit` ends it.
[[nodiscard]] bool call_when_thread_ends(void (*call)() noexcept) noexcept;

/// Of this process; a page that the kernel wipes in a child. Null before the first use.
extern std::atomic<const std::atomic<std::uint64_t>*> generation_page;
[[nodiscard]] std::uint64_t generation_now() noexcept;

} // namespace detail

/// @brief A number that is another one in every child of a fork, however it was forked, and never
/// changes within a process; 0 where the system cannot tell.
/// @par Complexity  a load
/// @par Thread safety  any thread
[[nodiscard]] inline std::uint64_t process_generation() noexcept {
    const auto* const page = detail::generation_page.load(std::memory_order_acquire);
    const std::uint64_t here = page == nullptr ? 0 : page->load(std::memory_order_acquire);
    return here != 0 ? here : detail::generation_now();
}

} // namespace palloc::inline v0
