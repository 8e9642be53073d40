// SPDX-License-Identifier: MIT
#include "os.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <sys/mman.h>

namespace palloc::inline v0::os {
namespace {

struct fault {
    std::atomic<std::uint64_t> calls = 0;
    std::atomic<std::uint64_t> fatal = 0; ///< the number of the call that is to fail
    std::atomic<int> errno_value = 0;

    /// @brief Counts a call. Answers the errno that it shall fail with, or 0.
    [[nodiscard]] int next() noexcept {
        const std::uint64_t number = calls.fetch_add(1, std::memory_order_relaxed) + 1;
        return number == fatal.load(std::memory_order_relaxed) ? errno_value.load() : 0;
    }
};

constinit std::array<fault, call_kinds> faults;

fault& of(call kind) noexcept {
    return faults[static_cast<std::size_t>(kind)];
}

/// @brief Makes the system call, or pretends that it failed. Keeps the caller's errno, because the
/// caller may be a signal handler.
template <class SystemCall>
auto through(call kind, SystemCall&& make) noexcept -> result<decltype(make())> {
    const int by_any = of(call::any).next();
    const int by_kind = of(kind).next();
    if (by_any != 0 || by_kind != 0)
        return fail(errc::os_failure, by_any != 0 ? by_any : by_kind);
    const int kept = errno;
    const auto answer = make();
    const int failure = errno;
    errno = kept;
    if (answer == static_cast<decltype(make())>(-1))
        return fail(errc::os_failure, failure);
    return answer;
}

constexpr auto discard = [](auto) noexcept {};

void* pointer(address at) noexcept {
    return reinterpret_cast<void*>(at);
}

} // namespace

void fail_nth(call kind, std::uint64_t n, int errno_value) noexcept {
    fault& it = of(kind);
    it.errno_value = errno_value;
    it.fatal = n == 0 ? 0 : it.calls + n;
}

std::uint64_t calls(call kind) noexcept {
    return of(kind).calls;
}

std::size_t page_bytes() noexcept {
    static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

result<address> map(address at, std::uint64_t bytes, int protection, int flags, int file,
                    off_t offset) noexcept {
    return through(call::map, [&] {
        return reinterpret_cast<address>(
            ::mmap(pointer(at), bytes, protection, flags, file, offset));
    });
}

result<void> unmap(range where) noexcept {
    return through(call::unmap, [&] { return ::munmap(pointer(where.base), where.bytes); })
        .map(discard);
}

result<void> protect(range where, int protection) noexcept {
    return through(call::protect,
                   [&] { return ::mprotect(pointer(where.base), where.bytes, protection); })
        .map(discard);
}

result<void> advise(range where, int advice) noexcept {
    return through(call::advise,
                   [&] { return ::madvise(pointer(where.base), where.bytes, advice); })
        .map(discard);
}

result<int> open(const char* path) noexcept {
    return through(call::open, [&] { return ::open(path, O_RDONLY | O_CLOEXEC); });
}

result<std::size_t> read(int file, std::span<char> into) noexcept {
    return through(call::read, [&] { return ::read(file, into.data(), into.size()); })
        .map([](ssize_t count) noexcept { return static_cast<std::size_t>(count); });
}

result<void> close(int file) noexcept {
    return through(call::close, [&] { return ::close(file); }).map(discard);
}

} // namespace palloc::inline v0::os
