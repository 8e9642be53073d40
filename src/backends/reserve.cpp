// SPDX-License-Identifier: MIT
#include <palloc/backings/reserve.hpp>

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "fork.hpp"
#include "os.hpp"
#include "pages.hpp"
#include "place.hpp"
#include "protection.hpp"

namespace palloc::inline v0 {
namespace {

constexpr int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

/// @brief A fresh mapping in place of the old one: one call, and the system's promise of memory is
/// returned. It would forget how children are to be treated, and a node.
result<void> map_over(range pages) noexcept {
    return os::map(pages.base, pages.bytes, PROT_NONE, anonymous | MAP_FIXED).map([](address) {});
}

/// @brief Access first, so that nothing is lost where that fails. Where the pages then cannot be
/// dropped they are as accessible as before, and hold what they held.
result<void> empty(range pages) noexcept {
    if (const auto hidden = os::protect(pages, PROT_NONE); !hidden)
        return hidden;
    auto dropped = os::drop(pages);
    if (!dropped)
        (void)os::protect(pages, PROT_READ | PROT_WRITE);
    return dropped;
}

} // namespace

std::size_t reserve::page_bytes() const noexcept {
    return os::page_bytes();
}

result<reserve::region> reserve::map(const map_request& wanted) noexcept {
    if (wanted.node != any_node)
        return fail(errc::not_supported);
    std::uint64_t generation = 0;
    if (options_.in_child == fork_treatment::absent) {
        const auto number = os::process_generation();
        if (!number)
            return tl::unexpected(number.error());
        generation = *number;
    }
    const auto where = os::map_placed(wanted, {.protection = PROT_NONE, .flags = anonymous});
    if (!where)
        return tl::unexpected(where.error());
    if (const auto treated = os::treat_in_child(*where, options_.in_child); !treated) {
        (void)os::unmap(*where);
        return tl::unexpected(treated.error());
    }
    return region(*where, generation, options_.in_child != fork_treatment::copied);
}

bool reserve::is_here(const region& it) noexcept {
    return it.generation_ == 0 || os::is_generation(it.generation_);
}

result<void> reserve::unmap(region& it) noexcept {
    if (is_here(it))
        if (const auto gone = os::unmap(it.where_); !gone)
            return gone;
    it.where_ = {};
    return {};
}

result<void> reserve::commit(region& it, range part) noexcept {
    if (!it.where_.contains(part))
        return fail(errc::bad_argument);
    if (!is_here(it))
        return fail(errc::not_supported);
    return os::protect(os::pages_around(part), PROT_READ | PROT_WRITE);
}

result<void> reserve::decommit(region& it, range part) noexcept {
    if (!it.where_.contains(part))
        return fail(errc::bad_argument);
    if (!is_here(it))
        return fail(errc::not_supported);
    const range pages = os::pages_inside(part);
    if (pages.bytes == 0)
        return {};
    auto gone = it.keeps_mappings_ ? empty(pages) : map_over(pages);
    if (!gone && gone.error().os_code == ENOMEM)
        return os::drop(pages);
    return gone;
}

result<void> reserve::move_pages(region& from, range part, region& to, address place) noexcept {
    const range target{place, part.bytes};
    if (!os::are_pages_of(from.where_, part) || !os::are_pages_of(to.where_, target) ||
        part.overlaps(target))
        return fail(errc::bad_argument);
    if (!is_here(from) || !is_here(to))
        return fail(errc::not_supported);
    if (part.bytes == 0)
        return {};
    // What stays mapped behind is ours to decommit: no other mapping can come between.
    const auto moved =
        os::remap(part, part.bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, place);
    if (!moved) {
        const int why = moved.error().os_code;
        if (why != EFAULT && why != EINVAL)
            return tl::unexpected(moved.error());
        // Several mappings, or a kernel before 5.7.
        if (const auto there = os::protect(target, PROT_READ | PROT_WRITE); !there)
            return there;
        std::memcpy(reinterpret_cast<void*>(place), reinterpret_cast<void*>(part.base),
                    static_cast<std::size_t>(part.bytes));
    }
    (void)decommit(from, part); // the pages have moved, whether or not this succeeds
    return {};
}

} // namespace palloc::inline v0
