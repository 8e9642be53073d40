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

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

namespace palloc::inline v0::os {

/// @brief What may be made to fail: one kind for each function below.
enum class call : std::uint8_t {
    map,
    unmap,
    protect,
    advise,
    remap,
    residency,
    open,
    read,
    write,
    close,
    status,
    truncate,
    reserve_file,
    memory_file,
    secret_file,
    add_seals,
    seals,
    shared_file,
    lock_byte,
    lock,
    unlock,
    bind,
    policy,
    nodes,
    seal,
    key_alloc,
    key_free,
    key_protect,
    barrier,
    process,
    limit,
    random,
    signal,
    any,
};

/// @brief The `n`th call of this kind from now on (1: the next) fails with `errno_value` instead of
/// being made. One wish per kind; a new one replaces it, `n` = 0 withdraws it.
void fail_nth(call kind, std::uint64_t n, int errno_value) noexcept;

/// @brief How many calls of this kind there were so far, failed ones included.
[[nodiscard]] std::uint64_t calls(call kind) noexcept;

/// @brief The size of a page.
[[nodiscard]] std::size_t page_bytes() noexcept;

// Constants of kernels that are younger than the C library's headers. A kernel that does not know
// one answers EINVAL, for a system call ENOSYS.
inline constexpr unsigned memory_file_noexec_seal = 0x8; ///< MFD_NOEXEC_SEAL, 6.3
inline constexpr int advice_guard_install = 102;         ///< MADV_GUARD_INSTALL, 6.13
inline constexpr int advice_guard_remove = 103;          ///< MADV_GUARD_REMOVE, 6.13
inline constexpr int get_memory_deny_write_execute = 66; ///< PR_GET_MDWE, 6.3

// ---------------------------------------------------------------- mappings

/// @brief mmap.
[[nodiscard]] result<address> map(address at, std::uint64_t bytes, int protection, int flags,
                                  int file = -1, off_t offset = 0) noexcept;
/// @brief munmap.
[[nodiscard]] result<void> unmap(range where) noexcept;
/// @brief mprotect.
[[nodiscard]] result<void> protect(range where, int protection) noexcept;
/// @brief madvise.
[[nodiscard]] result<void> advise(range where, int advice) noexcept;
/// @brief mremap; `place` counts with MREMAP_FIXED only.
[[nodiscard]] result<address> remap(range old, std::uint64_t bytes, int flags,
                                    address place = 0) noexcept;
/// @brief mincore: a byte a page, whose lowest bit says that it is in memory.
[[nodiscard]] result<void> residency(range where, std::span<unsigned char> pages) noexcept;
/// @brief mlock.
[[nodiscard]] result<void> lock(range where) noexcept;
/// @brief munlock.
[[nodiscard]] result<void> unlock(range where) noexcept;
/// @brief mseal, 6.10.
[[nodiscard]] result<void> seal(range where) noexcept;

// ---------------------------------------------------------------- files

/// @brief open, with O_CLOEXEC.
[[nodiscard]] result<int> open(const char* path, int flags = 0) noexcept;
/// @brief openat, with O_CLOEXEC; counts as an `open`.
[[nodiscard]] result<int> open_at(int directory, const char* path, int flags = 0) noexcept;
/// @brief read; 0 at the end.
[[nodiscard]] result<std::size_t> read(int file, std::span<char> into) noexcept;
/// @brief pread; counts as a `read`.
[[nodiscard]] result<std::size_t> read_at(int file, std::span<std::byte> into,
                                          off_t offset) noexcept;
/// @brief write.
[[nodiscard]] result<std::size_t> write(int file, std::span<const char> text) noexcept;
/// @brief pwrite; counts as a `write`.
[[nodiscard]] result<std::size_t> write_at(int file, std::span<const std::byte> bytes,
                                           off_t offset) noexcept;
/// @brief close. As on Linux the descriptor is gone even where this fails.
[[nodiscard]] result<void> close(int file) noexcept;
/// @brief fstat.
[[nodiscard]] result<struct stat> status(int file) noexcept;
/// @brief ftruncate. Kills the process by SIGXFSZ where RLIMIT_FSIZE is in the way.
[[nodiscard]] result<void> truncate(int file, std::uint64_t bytes) noexcept;
/// @brief fallocate.
[[nodiscard]] result<void> reserve_file(int file, int mode, std::uint64_t offset,
                                        std::uint64_t bytes) noexcept;
/// @brief memfd_create.
[[nodiscard]] result<int> memory_file(const char* name, unsigned flags) noexcept;
/// @brief memfd_secret, with FD_CLOEXEC.
[[nodiscard]] result<int> secret_file() noexcept;
/// @brief fcntl(F_ADD_SEALS).
[[nodiscard]] result<void> add_seals(int file, int seals) noexcept;
/// @brief fcntl(F_GET_SEALS).
[[nodiscard]] result<int> seals(int file) noexcept;
/// @brief shm_open, for its owner only; a `shared_file`.
[[nodiscard]] result<int> shared_file(const char* name, int flags) noexcept;
/// @brief shm_unlink; counts as a `shared_file`.
[[nodiscard]] result<void> unlink_shared_file(const char* name) noexcept;
/// @brief fcntl: `command` is F_OFD_SETLK or F_OFD_SETLKW, `type` F_WRLCK or F_UNLCK.
[[nodiscard]] result<void> lock_byte(int file, int command, short type,
                                     std::uint64_t offset) noexcept;

// ---------------------------------------------------------------- nodes

/// @brief mbind; `nodes` is a bit mask.
[[nodiscard]] result<void> bind(range where, int mode, std::span<const unsigned long> nodes,
                                unsigned flags) noexcept;
/// @brief get_mempolicy: the mode, or with MPOL_F_NODE a node; `nodes` may be empty.
[[nodiscard]] result<int> policy(std::span<unsigned long> nodes, address at,
                                 unsigned long flags) noexcept;
/// @brief move_pages without a target: the node of each page, or minus an errno.
[[nodiscard]] result<void> nodes(std::span<void*> pages, std::span<int> answers) noexcept;

// ---------------------------------------------------------------- keys and the process

/// @brief pkey_alloc.
[[nodiscard]] result<int> key_alloc(unsigned rights) noexcept;
/// @brief pkey_free.
[[nodiscard]] result<void> key_free(int key) noexcept;
/// @brief pkey_mprotect.
[[nodiscard]] result<void> key_protect(range where, int protection, int key) noexcept;
/// @brief membarrier; answers what the command answers.
[[nodiscard]] result<int> barrier(int command, unsigned flags = 0) noexcept;
/// @brief prctl; answers what the option answers.
[[nodiscard]] result<int> process(int option, unsigned long argument = 0) noexcept;
/// @brief sigaction; counts as a `signal`.
[[nodiscard]] result<void> signal_action(int number, const struct sigaction* fresh,
                                         struct sigaction* before) noexcept;
/// @brief raise; counts as a `signal`.
[[nodiscard]] result<void> raise(int number) noexcept;
/// @brief gettid, which cannot fail.
[[nodiscard]] std::int64_t thread_number() noexcept;
/// @brief getpid, which cannot fail.
[[nodiscard]] std::uint32_t process_number() noexcept;
/// @brief getrandom of a few bytes, which come all at once.
[[nodiscard]] result<void> random(std::span<std::byte> into) noexcept;
/// @brief getrlimit.
[[nodiscard]] result<struct rlimit> limit(int resource) noexcept;

} // namespace palloc::inline v0::os
