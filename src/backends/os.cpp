// SPDX-License-Identifier: MIT
#include "os.hpp"

#include <palloc/core/wide.hpp>

#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "fault_points.hpp"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447 // NOLINT(readability-identifier-naming): the system's name
#endif
#ifndef SYS_mseal
#define SYS_mseal 462 // NOLINT(readability-identifier-naming)
#endif

namespace palloc::inline v0::os {
namespace {

constinit fault_points<call> faults;

/// @brief Makes the system call, or pretends that it failed. Keeps the caller's errno, because the
/// caller may be a signal handler.
template <class SystemCall>
auto through(call kind, SystemCall&& make) noexcept -> result<decltype(make())> {
    if (const int code = faults.next(kind); code != 0)
        return fail(errc::os_failure, code);
    const int kept = errno;
    const auto answer = make();
    const int failure = errno;
    errno = kept;
    if (answer == static_cast<decltype(make())>(-1))
        return fail(errc::os_failure, failure);
    return answer;
}

/// @brief The same for calls that answer nothing but whether they succeeded.
template <class SystemCall>
result<void> done(call kind, SystemCall&& make) noexcept {
    return through(kind, make).map([](auto) noexcept {});
}
/// @brief For those that answer how many bytes.
template <class SystemCall>
result<std::size_t> counted(call kind, SystemCall&& make) noexcept {
    return through(kind, make).map([](ssize_t count) noexcept {
        return static_cast<std::size_t>(count);
    });
}
/// @brief For those that the C library has no function for, and that answer an int.
template <class SystemCall>
result<int> number(call kind, SystemCall&& make) noexcept {
    return through(kind, make).map([](long answer) noexcept { return static_cast<int>(answer); });
}

void* pointer(address at) noexcept {
    return reinterpret_cast<void*>(at);
}

/// @brief A size for the system, which refuses what its address space cannot hold.
std::size_t size(std::uint64_t bytes) noexcept {
    return saturated_size(bytes);
}

/// @brief What answers an address. One that this process cannot have is refused as the system
/// refuses those that it has not.
template <class SystemCall>
result<address> place(call kind, address wished, SystemCall&& make) noexcept {
    return through(kind,
                   [&]() noexcept {
                       if (wished > std::numeric_limits<std::uintptr_t>::max()) {
                           errno = ENOMEM;
                           return ~std::uintptr_t{0};
                       }
                       return reinterpret_cast<std::uintptr_t>(make());
                   })
        .map([](std::uintptr_t at) noexcept { return address{at}; });
}

unsigned long bits(std::span<const unsigned long> mask) noexcept {
    return mask.size_bytes() * 8;
}

} // namespace

void fail_nth(call kind, std::uint64_t n, int errno_value) noexcept {
    faults.fail_nth(kind, n, errno_value);
}

std::uint64_t calls(call kind) noexcept {
    return faults.calls(kind);
}

std::size_t page_bytes() noexcept {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

result<address> map(address at, std::uint64_t bytes, int protection, int flags, int file,
                    off_t offset) noexcept {
    return place(call::map, at,
                 [&] { return ::mmap(pointer(at), size(bytes), protection, flags, file, offset); });
}

result<void> unmap(range where) noexcept {
    return done(call::unmap, [&] { return ::munmap(pointer(where.base), size(where.bytes)); });
}

result<void> protect(range where, int protection) noexcept {
    return done(call::protect,
                [&] { return ::mprotect(pointer(where.base), size(where.bytes), protection); });
}

result<void> advise(range where, int advice) noexcept {
    return done(call::advise,
                [&] { return ::madvise(pointer(where.base), size(where.bytes), advice); });
}

result<address> remap(range old, std::uint64_t bytes, int flags, address to) noexcept {
    return place(call::remap, to, [&] {
        return ::mremap(pointer(old.base), size(old.bytes), size(bytes), flags, pointer(to));
    });
}

result<void> residency(range where, std::span<unsigned char> pages) noexcept {
    return done(call::residency,
                [&] { return ::mincore(pointer(where.base), size(where.bytes), pages.data()); });
}

result<void> lock(range where) noexcept {
    return done(call::lock, [&] { return ::mlock(pointer(where.base), size(where.bytes)); });
}

result<void> unlock(range where) noexcept {
    return done(call::unlock, [&] { return ::munlock(pointer(where.base), size(where.bytes)); });
}

result<void> seal(range where) noexcept {
    return done(call::seal,
                [&] { return ::syscall(SYS_mseal, pointer(where.base), size(where.bytes), 0UL); });
}

result<int> open(const char* path, int flags) noexcept {
    return through(call::open, [&] { return ::open(path, flags | O_CLOEXEC); });
}

result<int> open_at(int directory, const char* path, int flags) noexcept {
    return through(call::open, [&] { return ::openat(directory, path, flags | O_CLOEXEC); });
}

result<std::size_t> read(int file, std::span<char> into) noexcept {
    return counted(call::read, [&] { return ::read(file, into.data(), into.size()); });
}

result<std::size_t> read_at(int file, std::span<std::byte> into, off_t offset) noexcept {
    return counted(call::read, [&] { return ::pread(file, into.data(), into.size(), offset); });
}

result<std::size_t> write(int file, std::span<const char> text) noexcept {
    return counted(call::write, [&] { return ::write(file, text.data(), text.size()); });
}

result<std::size_t> write_at(int file, std::span<const std::byte> bytes, off_t offset) noexcept {
    return counted(call::write, [&] { return ::pwrite(file, bytes.data(), bytes.size(), offset); });
}

result<void> close(int file) noexcept {
    bool closed = false;
    auto answer = done(call::close, [&] {
        closed = true;
        return ::close(file);
    });
    if (!closed)
        (void)::close(file);
    return answer;
}

result<struct stat> status(int file) noexcept {
    struct stat answer{};
    return through(call::status, [&] { return ::fstat(file, &answer); }).map([&](int) noexcept {
        return answer;
    });
}

result<void> truncate(int file, std::uint64_t bytes) noexcept {
    return done(call::truncate, [&] { return ::ftruncate(file, static_cast<off_t>(bytes)); });
}

result<void> reserve_file(int file, int mode, std::uint64_t offset, std::uint64_t bytes) noexcept {
    return done(call::reserve_file, [&] {
        return ::fallocate(file, mode, static_cast<off_t>(offset), static_cast<off_t>(bytes));
    });
}

result<int> memory_file(const char* name, unsigned flags) noexcept {
    return through(call::memory_file, [&] { return ::memfd_create(name, flags); });
}

result<int> secret_file() noexcept {
    return number(call::secret_file, [&] { return ::syscall(SYS_memfd_secret, O_CLOEXEC); });
}

result<void> add_seals(int file, int seals) noexcept {
    return done(call::add_seals, [&] { return ::fcntl(file, F_ADD_SEALS, seals); });
}

result<int> seals(int file) noexcept {
    return through(call::seals, [&] { return ::fcntl(file, F_GET_SEALS); });
}

result<int> shared_file(const char* name, int flags) noexcept {
    return through(call::shared_file, [&] { return ::shm_open(name, flags | O_CLOEXEC, 0600); });
}

result<void> unlink_shared_file(const char* name) noexcept {
    return done(call::shared_file, [&] { return ::shm_unlink(name); });
}

result<void> lock_byte(int file, int command, short type, std::uint64_t offset) noexcept {
    struct flock what{};
    what.l_type = type;
    what.l_whence = SEEK_SET;
    what.l_start = static_cast<off_t>(offset);
    what.l_len = 1;
    return done(call::lock_byte, [&] { return ::fcntl(file, command, &what); });
}

result<void> bind(range where, int mode, std::span<const unsigned long> nodes,
                  unsigned flags) noexcept {
    return done(call::bind, [&] {
        return ::syscall(SYS_mbind, pointer(where.base), size(where.bytes), mode, nodes.data(),
                         bits(nodes) + 1,
                         flags); // the kernel looks at one bit less than it is told of
    });
}

result<int> policy(std::span<unsigned long> nodes, address at, unsigned long flags) noexcept {
    int mode = 0;
    return done(call::policy,
                [&] {
                    return ::syscall(SYS_get_mempolicy, &mode, nodes.empty() ? nullptr : &nodes[0],
                                     bits(nodes), pointer(at), flags);
                })
        .map([&]() noexcept { return mode; });
}

result<void> nodes(std::span<void*> pages, std::span<int> answers) noexcept {
    return done(call::nodes, [&] {
        return ::syscall(SYS_move_pages, 0, pages.size(), pages.data(), nullptr, answers.data(), 0);
    });
}

result<int> key_alloc(unsigned rights) noexcept {
    return number(call::key_alloc, [&] { return ::syscall(SYS_pkey_alloc, 0UL, rights); });
}

result<void> random(std::span<std::byte> into) noexcept {
    return done(call::random,
                [&] { return ::syscall(SYS_getrandom, into.data(), into.size(), 0); });
}

result<void> key_free(int key) noexcept {
    return done(call::key_free, [&] { return ::syscall(SYS_pkey_free, key); });
}

result<void> key_protect(range where, int protection, int key) noexcept {
    return done(call::key_protect, [&] {
        return ::syscall(SYS_pkey_mprotect, pointer(where.base), size(where.bytes), protection,
                         key);
    });
}

result<int> barrier(int command, unsigned flags) noexcept {
    return number(call::barrier, [&] { return ::syscall(SYS_membarrier, command, flags, 0); });
}

result<int> process(int option, unsigned long argument) noexcept {
    return through(call::process, [&] { return ::prctl(option, argument, 0UL, 0UL, 0UL); });
}

result<void> signal_action(int number, const struct sigaction* fresh,
                           struct sigaction* before) noexcept {
    return done(call::signal, [&] { return ::sigaction(number, fresh, before); });
}

result<void> raise(int number) noexcept {
    return done(call::signal, [&] { return ::raise(number) == 0 ? 0 : -1; });
}

std::int64_t thread_number() noexcept {
    return ::syscall(SYS_gettid);
}

std::uint32_t process_number() noexcept {
    return static_cast<std::uint32_t>(::getpid());
}

result<struct rlimit> limit(int resource) noexcept {
    struct rlimit answer{};
    return done(call::limit,
                [&] { return ::getrlimit(static_cast<__rlimit_resource_t>(resource), &answer); })
        .map([&]() noexcept { return answer; });
}

} // namespace palloc::inline v0::os
