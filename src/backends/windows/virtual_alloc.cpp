// SPDX-License-Identifier: MIT
#include <palloc/backings/virtual_alloc.hpp>

#include <algorithm>

#include "../page_parts.hpp"
#include "os.hpp"
#include "place.hpp"

namespace palloc::inline v0 {
namespace {

/// @brief Calls `change(run)` for each run of pages of `part` that are committed, or are not, as
/// long as it succeeds.
template <class Change>
result<void> each_run(range part, bool committed, Change&& change) noexcept {
    const address end = part.base + part.bytes;
    for (address at = part.base; at < end;) {
        const auto there = os::query(at);
        if (!there)
            return tl::unexpected(there.error());
        const address next = std::min(there->where.base + there->where.bytes, end);
        if (there->is_committed == committed)
            if (const auto done = change(range{at, next - at}); !done)
                return done;
        at = next;
    }
    return {};
}

} // namespace

template <bool CommitsOnClaim>
std::size_t basic_virtual_alloc<CommitsOnClaim>::page_bytes() const noexcept {
    return os::page_bytes();
}

template <bool CommitsOnClaim>
result<std::size_t> basic_virtual_alloc<CommitsOnClaim>::large_page_bytes() noexcept {
    const std::size_t bytes = os::large_page_bytes();
    if (bytes == 0)
        return fail(errc::not_supported);
    return os::take_large_page_privilege().map([&]() noexcept { return bytes; });
}

template <bool CommitsOnClaim>
auto basic_virtual_alloc<CommitsOnClaim>::map_large(const map_request& wanted) noexcept
    -> result<region> {
    const auto page = large_page_bytes();
    if (!page)
        return tl::unexpected(page.error());
    const auto bytes = os::whole_pages(wanted);
    if (!bytes)
        return tl::unexpected(bytes.error());
    if (*bytes % *page != 0)
        return fail(errc::not_supported);
    map_request aligned = wanted;
    aligned.alignment = std::max<std::uint64_t>(wanted.alignment, *page);
    return os::allocate_placed(aligned, *bytes, os::kind_of_pages::large)
        .map([&](address base) noexcept { return region({base, *bytes}, true); });
}

template <bool CommitsOnClaim>
auto basic_virtual_alloc<CommitsOnClaim>::map(const map_request& wanted) noexcept
    -> result<region> {
    if (wanted.node != any_node)
        return fail(errc::not_supported);
    const auto bytes = os::whole_pages(wanted);
    if (!bytes)
        return tl::unexpected(bytes.error());
    if (options_.large != virtual_alloc_options::large_pages::never) {
        auto large = map_large(wanted);
        if (large || options_.large == virtual_alloc_options::large_pages::required)
            return large;
    }
    const auto kind = CommitsOnClaim ? os::kind_of_pages::addresses : os::kind_of_pages::committed;
    return os::allocate_placed(wanted, *bytes, kind).map([&](address base) noexcept {
        return region({base, *bytes}, false);
    });
}

template <bool CommitsOnClaim>
result<void> basic_virtual_alloc<CommitsOnClaim>::unmap(region& it) noexcept {
    if (it.where_.bytes != 0)
        if (const auto gone = os::release(it.where_.base); !gone)
            return gone;
    it.where_ = {};
    return {};
}

template <bool CommitsOnClaim>
result<void> basic_virtual_alloc<CommitsOnClaim>::protect_committed(const region& it, range part,
                                                                    permissions allowed) noexcept {
    address changed = part.base;
    auto done = each_run(part, true, [&](range run) noexcept {
        const auto now = os::protect(run, allowed);
        if (now)
            changed = run.base + run.bytes;
        return now;
    });
    if (!done && !it.is_mixed_)
        (void)each_run({part.base, changed - part.base}, true,
                       [&](range run) noexcept { return os::protect(run, it.allowed_); });
    return done;
}

template <bool CommitsOnClaim>
result<void> basic_virtual_alloc<CommitsOnClaim>::protect(region& it, range part,
                                                          permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part))
        return fail(errc::bad_argument);
    const bool is_all = part == it.where_;
    if (part.bytes != 0) {
        const auto done = CommitsOnClaim && !it.is_large_ ? protect_committed(it, part, allowed)
                                                          : os::protect(part, allowed);
        if (!done)
            return done;
    }
    if (is_all)
        it.allowed_ = allowed;
    it.is_mixed_ = !is_all;
    return {};
}

template <bool CommitsOnClaim>
result<void> basic_virtual_alloc<CommitsOnClaim>::commit_pages(region& it, range part) noexcept {
    if (!it.where_.contains(part))
        return fail(errc::bad_argument);
    const range pages = os::pages_around(part);
    if (it.is_large_ || pages.bytes == 0)
        return {};
    if (!it.is_mixed_)
        return os::commit(pages, it.allowed_);
    // To commit a page once more would change what it allows.
    return each_run(pages, false, [&](range run) noexcept { return os::commit(run, it.allowed_); });
}

template <bool CommitsOnClaim>
result<void> basic_virtual_alloc<CommitsOnClaim>::decommit_pages(region& it, range part) noexcept {
    if (!it.where_.contains(part))
        return fail(errc::bad_argument);
    const range pages = os::pages_inside(part);
    if (pages.bytes == 0)
        return {};
    if (it.is_large_)
        return fail(errc::not_supported);
    return os::decommit(pages);
}

template class basic_virtual_alloc<true>;
template class basic_virtual_alloc<false>;

} // namespace palloc::inline v0
