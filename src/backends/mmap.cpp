// SPDX-License-Identifier: MIT
#include <palloc/backings/mmap.hpp>

#include <sys/mman.h>

#include "fork.hpp"
#include "keys.hpp"
#include "os.hpp"
#include "pages.hpp"
#include "place.hpp"
#include "protection.hpp"

namespace palloc::inline v0 {
std::size_t mmap_backing::page_bytes() const noexcept {
    return os::page_bytes();
}

result<mmap_backing::region> mmap_backing::map(const map_request& wanted) noexcept {
    if (wanted.node != any_node)
        return fail(errc::not_supported);
    std::uint64_t generation = 0;
    if (options_.in_child == fork_treatment::absent) {
        const auto number = os::process_generation();
        if (!number)
            return tl::unexpected(number.error());
        generation = *number;
    }
    const int reserve = options_.reserve_swap ? 0 : MAP_NORESERVE;
    const auto where = os::map_placed(wanted, {.protection = PROT_READ | PROT_WRITE,
                                               .flags = MAP_PRIVATE | MAP_ANONYMOUS | reserve});
    if (!where)
        return tl::unexpected(where.error());
    if (const auto treated = os::treat_in_child(*where, options_.in_child); !treated) {
        (void)os::unmap(*where);
        return tl::unexpected(treated.error());
    }
    return region(*where, generation);
}

bool mmap_backing::is_here(const region& mapped) noexcept {
    return mapped.generation_ == 0 || os::is_generation(mapped.generation_);
}

result<void> mmap_backing::unmap(region& mapped) noexcept {
    if (is_here(mapped))
        if (const auto gone = os::unmap(mapped.where_); !gone)
            return gone;
    mapped.where_ = {};
    return {};
}

result<void> mmap_backing::protect(region& mapped, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(mapped.where_, part))
        return fail(errc::bad_argument);
    if (!is_here(mapped))
        return fail(errc::not_supported);
    return os::protect(part, os::protection_of(allowed));
}

result<void> mmap_backing::lock(region& mapped, view which) noexcept {
    return which == view::main ? os::put_under_key(mapped.where_, which) : fail(errc::bad_argument);
}

result<void> mmap_backing::unlock(region& mapped, view which) noexcept {
    return which == view::main ? os::take_from_key(mapped.where_) : fail(errc::bad_argument);
}

void mmap_backing::open_lock(region&, view which) noexcept {
    os::open_key(which);
}

void mmap_backing::close_lock(region&, view which) noexcept {
    os::close_key(which);
}

result<void> mmap_backing::discard(region& mapped, range part) noexcept {
    if (!mapped.where_.contains(part))
        return fail(errc::bad_argument);
    if (!is_here(mapped))
        return fail(errc::not_supported);
    const range pages = os::pages_inside(part);
    return pages.bytes == 0 ? result<void>() : os::drop(pages);
}

} // namespace palloc::inline v0
