// SPDX-License-Identifier: MIT
/// @file
/// @brief What becomes of mappings in a child of fork, and how a child knows that it is one.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/range.hpp>

#include <atomic>
#include <cstdint>

namespace palloc::inline v0::os {

/// @brief A number that differs between a process and its children of fork, however they were
/// made; never 0. A page that the kernel wipes in a child tells: no call to the system but the
/// first.
/// @par Errors `os_failure`, the first time
/// @par Thread safety any thread, and a signal handler
[[nodiscard]] result<std::uint64_t> process_generation() noexcept;

/// @brief Where that number is kept: 0 in a child that has not asked yet. Null before the first
/// call.
[[nodiscard]] const std::atomic<std::uint64_t>* generation_page() noexcept;

/// @brief Whether this process is the one whose number that was.
[[nodiscard]] bool is_generation(std::uint64_t number) noexcept;

/// @brief Makes private memory in a child what `treatment` says: copied, absent or wiped.
/// @par Errors `not_supported` for any other; `os_failure`
[[nodiscard]] result<void> treat_in_child(range where, fork_treatment treatment) noexcept;

/// @brief Gives access to a shared view that nobody may touch yet, once no child will have it: a
/// fork in between finds nothing that it could look at or change.
/// @par Errors `os_failure`
[[nodiscard]] result<void> give_access_here_only(range view, int protection) noexcept;

} // namespace palloc::inline v0::os
