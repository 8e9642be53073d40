// SPDX-License-Identifier: MIT
/// @file
/// @brief The seam: every call to the operating system goes through here, so that a test can make
/// the nth of any kind fail.
///
/// Each function is one system call, with its arguments, and answers its errno as an error; errno
/// itself is left alone. Costs: two relaxed atomic additions a call.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/types.h>

namespace palloc::inline v0::os {

/// @brief What may be made to fail.
enum class call : std::uint8_t { map, unmap, protect, advise, open, read, close, any };
inline constexpr std::size_t call_kinds = static_cast<std::size_t>(call::any) + 1;

/// @brief The `n`th call of this kind from now on (1: the next) fails with `errno_value` instead of
/// being made. One wish per kind; a new one replaces it, `n` = 0 withdraws it.
void fail_nth(call kind, std::uint64_t n, int errno_value) noexcept;

/// @brief How many calls of this kind there were so far, failed ones included.
[[nodiscard]] std::uint64_t calls(call kind) noexcept;

/// @brief The size of a page.
[[nodiscard]] std::size_t page_bytes() noexcept;

/// @brief mmap.
[[nodiscard]] result<address> map(address at, std::uint64_t bytes, int protection, int flags,
                                  int file = -1, off_t offset = 0) noexcept;
/// @brief munmap.
[[nodiscard]] result<void> unmap(range where) noexcept;
/// @brief mprotect.
[[nodiscard]] result<void> protect(range where, int protection) noexcept;
/// @brief madvise.
[[nodiscard]] result<void> advise(range where, int advice) noexcept;
/// @brief open, for reading.
[[nodiscard]] result<int> open(const char* path) noexcept;
/// @brief read; 0 at the end.
[[nodiscard]] result<std::size_t> read(int file, std::span<char> into) noexcept;
/// @brief close.
[[nodiscard]] result<void> close(int file) noexcept;

} // namespace palloc::inline v0::os
