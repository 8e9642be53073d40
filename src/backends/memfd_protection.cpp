// SPDX-License-Identifier: MIT
// What protections ask of a memfd beyond its two views and its seal.
#include <palloc/backings/memfd.hpp>
#include <palloc/core/layout.hpp>

#include <cerrno>

#include <sys/mman.h>

#include "files.hpp"
#include "fork.hpp"
#include "keys.hpp"
#include "os.hpp"

namespace palloc::inline v0 {
namespace {

/// @brief The whole pages around a range.
range pages_around(range part) noexcept {
    const address base = align_down<address>(part.base, os::page_bytes());
    return {base, align_up<std::uint64_t>(part.base - base + part.bytes, os::page_bytes())};
}

} // namespace

result<void> memfd::make_permanent(region& it) noexcept {
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    return os::seal(it.where_);
}

result<address> memfd::open_part(region& it, range part) noexcept {
    if (part.bytes == 0 || !it.where_.contains(part))
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.sealed_)
        return fail(errc::os_failure, EPERM);
    const range pages = pages_around(part);
    const auto offset = static_cast<off_t>(pages.base - it.where_.base);
    const auto base = os::map(0, pages.bytes, PROT_NONE, MAP_SHARED, it.file_, offset);
    if (!base)
        return base;
    os::scoped_view view({*base, pages.bytes});
    if (const auto ours = os::give_access_here_only(view.get(), PROT_READ | PROT_WRITE); !ours)
        return tl::unexpected(ours.error());
    return view.release().base + (part.base - pages.base);
}

result<void> memfd::close_part(region&, range opened) noexcept {
    return os::unmap(pages_around(opened));
}

result<void> memfd::store(region& it, address place, std::span<const std::byte> bytes) noexcept {
    if (!it.where_.contains(range{place, bytes.size()}))
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.sealed_)
        return fail(errc::os_failure, EPERM);
    auto offset = static_cast<off_t>(place - it.where_.base);
    while (!bytes.empty()) {
        const auto written = os::write_at(it.file_, bytes, offset);
        if (!written)
            return tl::unexpected(written.error());
        bytes = bytes.subspan(*written);
        offset += static_cast<off_t>(*written);
    }
    return {};
}

result<void> memfd::lock(region& it, view which) noexcept {
    const range seen = seen_by(it, which);
    if (seen.base == 0)
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    return os::put_under_key(seen, which);
}

result<void> memfd::unlock(region& it, view which) noexcept {
    const range seen = seen_by(it, which);
    if (seen.base == 0)
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    return os::take_from_key(seen);
}

void memfd::open_lock(region&, view which) noexcept {
    os::open_key(which);
}

void memfd::close_lock(region&, view which) noexcept {
    os::close_key(which);
}

} // namespace palloc::inline v0
