// SPDX-License-Identifier: MIT
#include <palloc/backings/mmap.hpp>

#include <sys/mman.h>

#include "os.hpp"
#include "place.hpp"
#include "protection.hpp"

namespace palloc::inline v0 {
std::size_t mmap_backing::page_bytes() const noexcept {
    return os::page_bytes();
}

result<mmap_backing::region> mmap_backing::map(const map_request& wanted) noexcept {
    if (wanted.node != any_node)
        return fail(errc::not_supported);
    const int reserve = options_.reserve_swap ? 0 : MAP_NORESERVE;
    return os::map_placed(wanted, {.protection = PROT_READ | PROT_WRITE,
                                   .flags = MAP_PRIVATE | MAP_ANONYMOUS | reserve})
        .map([](range where) noexcept { return region(where); });
}

result<void> mmap_backing::unmap(region& mapped) noexcept {
    auto done = os::unmap(mapped.where_);
    if (done)
        mapped.where_ = {};
    return done;
}

result<void> mmap_backing::protect(region& mapped, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(mapped.where_, part))
        return fail(errc::bad_argument);
    return os::protect(part, os::protection_of(allowed));
}

} // namespace palloc::inline v0
