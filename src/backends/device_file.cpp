// SPDX-License-Identifier: MIT
#include <palloc/backings/detail/device_file.hpp>
#include <palloc/core/layout.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fcntl.h>
#include <limits>
#include <string_view>

#include <sys/mman.h>
#include <sys/stat.h>

#include "files.hpp"
#include "os.hpp"

// Of kernel headers that are younger than some C libraries' own.
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 0x03
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x080000
#endif

namespace palloc::inline v0::detail {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;

/// What an ordinary file does not have kills whoever touches it.
result<void> check_length(int file, const device_range& wanted) noexcept {
    const auto now = os::status(file);
    if (!now)
        return tl::unexpected(now.error());
    const auto there = static_cast<std::uint64_t>(now->st_size);
    const std::uint64_t needed = wanted.offset + wanted.skipped + wanted.bytes;
    return S_ISREG(now->st_mode) && there < needed ? fail(errc::past_the_end) : result<void>();
}

/// A number as sysfs writes it: 0x and hexadecimal digits.
result<std::uint64_t> read_number(const char* folder, unsigned map, const char* name) noexcept {
    std::array<char, 256> path{};
    const int length =
        std::snprintf(path.data(), path.size(), "%s/maps/map%u/%s", folder, map, name);
    if (length < 0 || static_cast<std::size_t>(length) >= path.size())
        return fail(errc::too_large);
    const auto opened = os::open(path.data(), O_RDONLY);
    if (!opened)
        return tl::unexpected(opened.error());
    const os::scoped_file file(*opened);
    std::array<char, 32> text{};
    const auto got = os::read(file.get(), text);
    if (!got)
        return tl::unexpected(got.error());
    std::string_view digits(text.data(), *got);
    if (digits.starts_with("0x"))
        digits.remove_prefix(2);
    if (digits.ends_with('\n'))
        digits.remove_suffix(1);
    std::uint64_t value = 0;
    const auto [end, wrong] = std::from_chars(digits.begin(), digits.end(), value, 16);
    if (wrong != std::errc{} || end != digits.end())
        return fail(errc::bad_argument);
    return value;
}

} // namespace

result<device_view> map_device(const device_range& wanted) noexcept {
    const std::uint64_t page = os::page_bytes();
    constexpr std::uint64_t most = std::numeric_limits<off_t>::max() / 4;
    if (wanted.bytes == 0)
        return fail(errc::zero_size);
    if (wanted.bytes > most || wanted.offset > most || wanted.skipped > most ||
        wanted.bytes + wanted.skipped > std::numeric_limits<std::size_t>::max() - 2 * page)
        return fail(errc::too_large);
    const int how = wanted.kind == device_kind::memory ? O_RDWR | O_SYNC : O_RDWR;
    const auto opened = os::open(wanted.path, how);
    if (!opened)
        return tl::unexpected(opened.error());
    const os::scoped_file file(*opened);
    if (const auto long_enough = check_length(file.get(), wanted); !long_enough)
        return tl::unexpected(long_enough.error());
    const std::uint64_t begin = align_down(wanted.offset, page);
    const std::uint64_t before = wanted.offset - begin + wanted.skipped;
    const std::uint64_t bytes = align_up(before + wanted.bytes, page);
    const auto map = [&](int flags) noexcept {
        return os::map(0, bytes, read_write, flags, file.get(), static_cast<off_t>(begin));
    };
    result<address> base;
    bool persistent = false;
    if (wanted.kind == device_kind::dax) {
        base = map(MAP_SHARED_VALIDATE | MAP_SYNC);
        persistent = base.has_value();
        const int why = base ? 0 : base.error().os_code;
        if (why == EOPNOTSUPP || why == EINVAL) {
            if (wanted.needs_persistence)
                return fail(errc::not_supported, why);
            base = map(MAP_SHARED);
        }
    } else {
        base = map(MAP_SHARED);
    }
    if (!base)
        return tl::unexpected(base.error());
    return device_view{{*base + before, wanted.bytes}, {*base, bytes}, persistent};
}

result<void> unmap_device(const device_view& view) noexcept {
    return os::unmap(view.pages);
}

result<device_range> read_uio_map(const char* folder, unsigned number, const char* path) noexcept {
    const auto place = read_number(folder, number, "addr");
    if (!place)
        return tl::unexpected(place.error());
    const auto size = read_number(folder, number, "size");
    if (!size)
        return tl::unexpected(size.error());
    const auto skipped = read_number(folder, number, "offset");
    if (!skipped)
        return tl::unexpected(skipped.error());
    if (*skipped >= *size || *place > ~std::uint64_t{0} - *size)
        return fail(errc::bad_argument);
    return device_range{.path = path,
                        .offset = std::uint64_t{number} * os::page_bytes(),
                        .bytes = *size - *skipped,
                        .physical = *place + *skipped,
                        .kind = device_kind::uio,
                        .skipped = *skipped};
}

} // namespace palloc::inline v0::detail
