// SPDX-License-Identifier: MIT
#include <palloc/core/mapping_use.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <span>

#include "files.hpp"
#include "os.hpp"

namespace palloc::inline v0 {
namespace {

/// @brief Shows all of a file to `look`, part by part.
template <class Look>
result<void> read_all(const char* path, Look&& look) noexcept {
    const auto file = os::open(path);
    if (!file)
        return fail(file.error().os_code == ENOENT ? errc::not_supported : errc::os_failure,
                    file.error().os_code);
    const os::scoped_file closed_at_the_end(*file);
    std::array<char, 4096> part{};
    for (;;) {
        const auto got = os::read(*file, part);
        if (!got)
            return tl::unexpected(got.error());
        if (*got == 0)
            return {};
        look(std::span(part).first(*got));
    }
}

} // namespace

result<mapping_use> mappings_in_use() noexcept {
    mapping_use answer{};
    auto done = read_all("/proc/sys/vm/max_map_count", [&](std::span<const char> text) {
        for (const char each : text)
            if (each >= '0' && each <= '9')
                answer.limit = answer.limit * 10 + static_cast<std::uint64_t>(each - '0');
    });
    if (done)
        done = read_all("/proc/self/maps", [&](std::span<const char> text) {
            answer.used += static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
        });
    return done.map([&]() noexcept { return answer; });
}

} // namespace palloc::inline v0
