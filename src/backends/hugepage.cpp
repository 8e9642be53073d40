// SPDX-License-Identifier: MIT
#include <palloc/backings/hugepage.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <span>
#include <string_view>

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "fork.hpp"
#include "os.hpp"
#include "pages.hpp"
#include "place.hpp"
#include "protection.hpp"

namespace palloc::inline v0 {
namespace {

constexpr std::uint64_t huge_bytes = std::uint64_t{1} << 21;
constexpr std::uint64_t gigantic_bytes = std::uint64_t{1} << 30;
constexpr int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

/// @brief What system calls about a region on this rung speak in.
std::size_t page_bytes_on(page_rung rung) noexcept {
    return rung == page_rung::gigantic ? gigantic_bytes
           : rung == page_rung::huge   ? huge_bytes
                                       : os::page_bytes();
}

os::mapping mapping_on(page_rung rung) noexcept {
    const int large = rung == page_rung::gigantic ? MAP_HUGETLB | static_cast<int>(MAP_HUGE_1GB)
                      : rung == page_rung::huge   ? MAP_HUGETLB | static_cast<int>(MAP_HUGE_2MB)
                                                  : 0;
    return {.protection = PROT_READ | PROT_WRITE,
            .flags = anonymous | large,
            .page = page_bytes_on(rung)};
}

/// @brief Whether the kernel gives large pages to who asks: "always [madvise] never".
bool transparent_pages_exist() noexcept {
    const auto disabled = os::process(PR_GET_THP_DISABLE);
    if (!disabled || *disabled != 0)
        return false;
    const auto file = os::open("/sys/kernel/mm/transparent_hugepage/enabled");
    if (!file)
        return false;
    std::array<char, 64> text{};
    const auto filled = os::read(*file, text);
    (void)os::close(*file);
    return filled &&
           std::string_view(text.data(), *filled).find("[never]") == std::string_view::npos;
}

/// @brief What /proc/self/pagemap says of a page.
result<std::uint64_t> pagemap_entry(address place) noexcept {
    const auto file = os::open("/proc/self/pagemap");
    if (!file)
        return tl::unexpected(file.error());
    std::uint64_t entry = 0;
    const auto filled = os::read_at(*file, std::as_writable_bytes(std::span(&entry, 1)),
                                    static_cast<off_t>(place / os::page_bytes() * sizeof entry));
    (void)os::close(*file);
    if (!filled)
        return tl::unexpected(filled.error());
    return *filled == sizeof entry ? result<std::uint64_t>(entry)
                                   : result<std::uint64_t>(fail(errc::os_failure, EIO));
}

} // namespace

std::size_t hugepage::page_bytes() const noexcept {
    if (options_.base || options_.transparent || !(options_.huge || options_.gigantic))
        return os::page_bytes();
    return static_cast<std::size_t>(options_.huge ? huge_bytes : gigantic_bytes);
}

std::size_t hugepage::page_bytes(const region& it) const noexcept {
    return page_bytes_on(it.rung_);
}

result<hugepage::region> hugepage::map(const map_request& wanted) noexcept {
    if (!(options_.gigantic || options_.huge || options_.transparent || options_.base))
        return fail(errc::bad_argument);
    if (wanted.node != any_node || options_.in_child == fork_treatment::shared ||
        options_.in_child == fork_treatment::read_only)
        return fail(errc::not_supported);
    const auto bytes = os::whole_pages(wanted, page_bytes());
    if (!bytes)
        return tl::unexpected(bytes.error());
    std::uint64_t generation = 0;
    if (options_.in_child == fork_treatment::absent) {
        const auto number = os::process_generation();
        if (!number)
            return tl::unexpected(number.error());
        generation = *number;
    }
    const bool absent = generation != 0;
    map_request rounded = wanted;
    rounded.bytes = *bytes;
    error why{errc::not_supported};
    const auto fits = [&](page_rung rung, bool allowed) {
        switch (rung) {
        case page_rung::gigantic:
        case page_rung::huge:
            return allowed && absent && *bytes % page_bytes_on(rung) == 0;
        case page_rung::transparent:
            return allowed && *bytes >= huge_bytes && transparent_pages_exist();
        case page_rung::base:
            break;
        }
        return allowed;
    };
    for (const auto& [rung, allowed] : {std::pair{page_rung::gigantic, options_.gigantic},
                                        std::pair{page_rung::huge, options_.huge},
                                        std::pair{page_rung::transparent, options_.transparent},
                                        std::pair{page_rung::base, options_.base}}) {
        if (!fits(rung, allowed))
            continue;
        auto made = map_on(rung, rounded, generation);
        if (made)
            return made;
        why = made.error();
    }
    return tl::unexpected(why);
}

result<hugepage::region> hugepage::map_on(page_rung rung, const map_request& wanted,
                                          std::uint64_t generation) const noexcept {
    map_request aligned = wanted;
    if (rung == page_rung::transparent)
        aligned.alignment = std::max(wanted.alignment, huge_bytes);
    const auto where = os::map_placed(aligned, mapping_on(rung));
    if (!where)
        return tl::unexpected(where.error());
    const auto prepared =
        os::treat_in_child(*where, options_.in_child)
            .and_then([&] {
                return rung == page_rung::transparent ? os::advise(*where, MADV_HUGEPAGE)
                                                      : result<void>();
            })
            .and_then([&] {
                return options_.populate ? os::advise(*where, MADV_POPULATE_WRITE) : result<void>();
            });
    if (!prepared) {
        (void)os::unmap(*where);
        return tl::unexpected(prepared.error());
    }
    return region(*where, rung, generation);
}

result<void> hugepage::unmap(region& it) noexcept {
    if (it.generation_ == 0 || os::is_generation(it.generation_))
        if (const auto gone = os::unmap(it.where_); !gone)
            return gone;
    it.where_ = {};
    return {};
}

result<void> hugepage::protect(region& it, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part, page_bytes_on(it.rung_)))
        return fail(errc::bad_argument);
    if (it.generation_ != 0 && !os::is_generation(it.generation_))
        return fail(errc::not_supported);
    return os::protect(part, os::protection_of(allowed));
}

result<void> hugepage::discard(region& it, range part) noexcept {
    if (!it.where_.contains(part))
        return fail(errc::bad_argument);
    if (it.generation_ != 0 && !os::is_generation(it.generation_))
        return fail(errc::not_supported);
    const range pages = os::pages_inside(part, page_bytes_on(it.rung_));
    return pages.bytes == 0 ? result<void>() : os::drop(pages);
}

result<address> hugepage::physical(const region& it, address place) const noexcept {
    constexpr std::uint64_t present = std::uint64_t{1} << 63;
    constexpr std::uint64_t frame = (std::uint64_t{1} << 55) - 1;
    if (!it.where_.contains(place))
        return fail(errc::not_ours);
    if (it.generation_ != 0 && !os::is_generation(it.generation_))
        return fail(errc::not_supported);
    const std::uint64_t page = os::page_bytes();
    const std::uint64_t pages = page_bytes_on(it.rung_);
    const auto there = os::advise({align_down(place, pages), pages}, MADV_POPULATE_WRITE);
    if (!there)
        return tl::unexpected(there.error());
    const auto entry = pagemap_entry(place);
    if (!entry)
        return tl::unexpected(entry.error().os_code == EACCES || entry.error().os_code == EPERM
                                  ? error{errc::not_supported, entry.error().os_code}
                                  : entry.error());
    if ((*entry & present) == 0)
        return fail(errc::os_failure, EAGAIN); // swapped out again already
    if ((*entry & frame) == 0)
        return fail(errc::not_supported, EPERM);
    return (*entry & frame) * page + place % page;
}

} // namespace palloc::inline v0
