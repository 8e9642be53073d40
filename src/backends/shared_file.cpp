// SPDX-License-Identifier: MIT
#include <palloc/backings/detail/shared_file.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <string_view>

#include <sys/mman.h>

#include "files.hpp"
#include "os.hpp"
#include "place.hpp"

namespace palloc::inline v0::detail {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;

} // namespace

std::uint32_t process_number() noexcept {
    return os::process_number();
}

result<shared_file> shared_file::named(const char* name, existence wanted) noexcept {
    const int how = wanted == existence::must       ? 0
                    : wanted == existence::must_not ? O_CREAT | O_EXCL
                                                    : O_CREAT;
    return os::shared_file(name, O_RDWR | how).map([](int file) noexcept {
        return shared_file(file);
    });
}

result<shared_file> shared_file::nameless(const char* label) noexcept {
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    auto file = os::memory_file(label, flags | os::memory_file_noexec_seal);
    if (!file && file.error().os_code == EINVAL) // a kernel before 6.3
        file = os::memory_file(label, flags);
    return file.map([](int made) noexcept { return shared_file(made); });
}

result<shared_file> shared_file::reopened(int file) noexcept {
    constexpr std::string_view folder = "/proc/self/fd/";
    std::array<char, folder.size() + 12> path{};
    char* const number = std::copy(folder.begin(), folder.end(), path.begin());
    std::to_chars(number, path.end() - 1, file);
    return os::open(path.data(), O_RDWR).map([](int made) noexcept { return shared_file(made); });
}

result<void> shared_file::unlink(const char* name) noexcept {
    return os::unlink_shared_file(name);
}

shared_file::~shared_file() {
    if (file_ >= 0)
        (void)os::close(file_);
}

result<std::uint64_t> shared_file::bytes() const noexcept {
    return os::status(file_).map(
        [](const struct stat& now) noexcept { return static_cast<std::uint64_t>(now.st_size); });
}

result<void> shared_file::make_zero(std::uint64_t bytes, std::uint64_t reserved) noexcept {
    return os::truncate(file_, 0)
        .and_then([&] { return os::set_size(file_, bytes); })
        .and_then([&] { return os::reserve_file(file_, 0, 0, reserved); });
}

void shared_file::fix_size() noexcept {
    (void)os::add_seals(file_, F_SEAL_SHRINK | F_SEAL_GROW);
}

result<std::size_t> shared_file::read(std::span<std::byte> into) const noexcept {
    return os::read_at(file_, into, 0);
}

result<void> shared_file::write(std::span<const std::byte> from) noexcept {
    const auto written = os::write_at(file_, from, 0);
    if (!written)
        return tl::unexpected(written.error());
    return *written == from.size() ? result<void>() : fail(errc::os_failure, ENOSPC);
}

result<bool> shared_file::try_lock(std::uint64_t byte) noexcept {
    const auto locked = os::lock_byte(file_, F_OFD_SETLK, F_WRLCK, byte);
    if (locked)
        return true;
    if (locked.error().os_code == EAGAIN || locked.error().os_code == EACCES)
        return false;
    return tl::unexpected(locked.error());
}

result<void> shared_file::lock(std::uint64_t byte) noexcept {
    result<void> locked;
    do
        locked = os::lock_byte(file_, F_OFD_SETLKW, F_WRLCK, byte);
    while (!locked && locked.error().os_code == EINTR);
    return locked;
}

void shared_file::unlock(std::uint64_t byte) noexcept {
    (void)os::lock_byte(file_, F_OFD_SETLK, F_UNLCK, byte);
}

result<range> shared_file::map(std::uint64_t bytes, std::uint64_t alignment, range own) noexcept {
    const auto placed =
        os::map_placed({.bytes = bytes, .alignment = alignment},
                       {.protection = read_write, .flags = MAP_SHARED, .file = file_});
    if (!placed)
        return placed;
    os::scoped_view view(*placed);
    const auto mine = os::map(placed->base + own.base, own.bytes, read_write,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    if (!mine)
        return tl::unexpected(mine.error());
    if (const auto alone = os::advise(*placed, MADV_DONTFORK); !alone)
        return tl::unexpected(alone.error());
    return view.release();
}

void shared_file::unmap(range where) noexcept {
    (void)os::unmap(where);
}

} // namespace palloc::inline v0::detail
