// SPDX-License-Identifier: MIT
#include "place.hpp"

#include <palloc/core/address_space.hpp>
#include <palloc/core/layout.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include <sys/mman.h>

#include "os.hpp"

namespace palloc::inline v0::os {
namespace {

/// Below, an unprivileged process may not map; above, the kernel never maps unless asked to.
constexpr range user_space{0x10000, (std::uint64_t{1} << process_address_bits) - 0x2000 - 0x10000};

/// @brief The mappings of this process in ascending order, from /proc/self/maps.
class mapping_list {
  public:
    explicit mapping_list(int file) noexcept : file_(file) {}

    /// @brief The next mapping; none at the end.
    [[nodiscard]] result<std::optional<range>> next() noexcept {
        for (;;) {
            const std::string_view rest(text_.data() + at_, filled_ - at_);
            if (const std::size_t end = rest.find('\n'); end != rest.npos) {
                at_ += end + 1;
                return parse(rest.substr(0, end));
            }
            std::copy(rest.begin(), rest.end(), text_.begin());
            filled_ = rest.size();
            at_ = 0;
            const auto more = read(file_, std::span(text_).subspan(filled_));
            if (!more)
                return tl::unexpected(more.error());
            if (*more == 0)
                return std::nullopt;
            filled_ += *more;
        }
    }

  private:
    /// @brief "base-end permissions …", in hexadecimal.
    static range parse(std::string_view line) noexcept {
        address base = 0;
        address end = 0;
        const auto [dash, _] = std::from_chars(line.data(), line.data() + line.size(), base, 16);
        std::from_chars(dash + 1, line.data() + line.size(), end, 16);
        return {base, end - base};
    }

    int file_;
    std::size_t at_ = 0;
    std::size_t filled_ = 0;
    std::array<char, 8192> text_; ///< a line has at most PATH_MAX characters and a bit
};

/// @brief The lowest multiple of `alignment` in `gap` with room for `bytes` behind it.
std::optional<address> aligned_in(range gap, std::uint64_t bytes,
                                  std::uint64_t alignment) noexcept {
    const auto base = checked_align_up(gap.base, alignment);
    if (!base || !gap.contains(range{*base, bytes}))
        return std::nullopt;
    return base;
}

/// @brief The part of the gap between two mappings that lies in `within` and in user space.
range clipped(address from, address to, range within) noexcept {
    const address last = within.base + std::min(within.bytes, ~std::uint64_t{0} - within.base);
    from = std::max({from, within.base, user_space.base});
    to = std::min({to, last, user_space.base + user_space.bytes});
    return {from, to > from ? to - from : 0};
}

/// @brief Maps at that place or not at all: EEXIST where something is mapped there.
result<address> map_if_free(address place, std::uint64_t bytes, const mapping& what) noexcept {
    auto taken = map(place, bytes, what.protection, what.flags | MAP_FIXED_NOREPLACE, what.file,
                     what.offset);
    if (taken && *taken != place) { // a kernel that takes the flag for a mere hint
        (void)unmap({*taken, bytes});
        return fail(errc::not_supported);
    }
    return taken;
}

/// @brief Tries every gap in turn. Another thread may take a gap first; that only makes it be
/// passed over, because the kernel is told not to replace anything.
result<address> map_in_gaps(int maps, std::uint64_t bytes, std::uint64_t alignment, range within,
                            const mapping& what) noexcept {
    mapping_list mappings(maps);
    address end_of_previous = 0;
    for (bool done = false; !done;) {
        const auto next = mappings.next();
        if (!next)
            return tl::unexpected(next.error());
        done = !*next;
        const range mapped = next->value_or(range{~address{0}, 0});
        const auto place =
            aligned_in(clipped(end_of_previous, mapped.base, within), bytes, alignment);
        end_of_previous = mapped.base + mapped.bytes;
        if (!place)
            continue;
        const auto taken = map_if_free(*place, bytes, what);
        if (taken || taken.error().os_code != EEXIST)
            return taken;
    }
    return fail(errc::out_of_memory);
}

result<address> map_within(std::uint64_t bytes, std::uint64_t alignment, range within,
                           const mapping& what) noexcept {
    const auto maps = open("/proc/self/maps");
    if (!maps)
        return tl::unexpected(maps.error());
    auto placed = map_in_gaps(*maps, bytes, alignment, within, what);
    (void)close(*maps); // it was only read: nothing is lost
    return placed;
}

/// @brief Maps more than is needed, and gives back what lies before and behind the aligned part.
result<address> map_aligned(std::uint64_t bytes, std::uint64_t alignment, std::uint64_t page,
                            const mapping& what) noexcept {
    const auto more = checked_add(bytes, alignment - page);
    if (!more)
        return fail(errc::too_large);
    const auto all = map(0, *more, what.protection, what.flags, what.file, what.offset);
    if (!all)
        return all;
    const address base = align_up(*all, alignment);
    const address end = *all + *more;
    address ours = *all; // what was given back may be another thread's by now
    for (const range excess : {range{*all, base - *all}, range{base + bytes, end - base - bytes}}) {
        if (excess.bytes == 0)
            continue;
        if (const auto trimmed = unmap(excess); !trimmed) {
            (void)unmap({ours, end - ours});
            return tl::unexpected(trimmed.error());
        }
        ours = base;
    }
    return base;
}

const mapping addresses_only{.protection = PROT_NONE,
                             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE};

/// @brief A file begins at the aligned place, and not before: it is mapped over addresses that were
/// found without it, and are ours.
result<address> map_file_aligned(std::uint64_t bytes, std::uint64_t alignment,
                                 const mapping& what) noexcept {
    const auto place = map_aligned(bytes, alignment, page_bytes(), addresses_only);
    if (!place)
        return place;
    auto taken =
        map(*place, bytes, what.protection, what.flags | MAP_FIXED, what.file, what.offset);
    if (!taken)
        (void)unmap({*place, bytes});
    return taken;
}

/// @brief The same for large pages, of which there may be none to give back: a place is found with
/// addresses alone. Another thread may take it in between; then the next one.
result<address> map_large_pages_aligned(std::uint64_t bytes, std::uint64_t alignment,
                                        const mapping& what) noexcept {
    for (int attempt = 0; attempt != 8; ++attempt) {
        const auto place = map_aligned(bytes, alignment, page_bytes(), addresses_only);
        if (!place)
            return place;
        if (const auto freed = unmap({*place, bytes}); !freed) {
            (void)unmap({*place, bytes}); // one that the system would not split may go yet
            return tl::unexpected(freed.error());
        }
        const auto taken = map_if_free(*place, bytes, what);
        if (taken || taken.error().os_code != EEXIST)
            return taken;
    }
    return fail(errc::out_of_memory);
}

} // namespace

result<range> map_placed(const map_request& wanted, const mapping& what) noexcept {
    const auto bytes = whole_pages(wanted, what.page);
    if (!bytes)
        return tl::unexpected(bytes.error());
    const std::uint64_t page = what.page;
    const std::uint64_t alignment = std::max(wanted.alignment, page);
    const auto base = [&] {
        if (wanted.within != anywhere)
            return map_within(*bytes, alignment, wanted.within, what);
        if (alignment > page)
            return page != page_bytes() ? map_large_pages_aligned(*bytes, alignment, what)
                   : what.file >= 0     ? map_file_aligned(*bytes, alignment, what)
                                        : map_aligned(*bytes, alignment, page, what);
        return map(0, *bytes, what.protection, what.flags, what.file, what.offset);
    }();
    return base.map([&](address at) noexcept { return range{at, *bytes}; });
}

} // namespace palloc::inline v0::os

namespace palloc::inline v0 {

result<range> largest_gap(range within) noexcept {
    const auto maps = os::open("/proc/self/maps");
    if (!maps)
        return tl::unexpected(maps.error());
    os::mapping_list mappings(*maps);
    range largest;
    result<void> good{};
    address end_of_previous = 0;
    for (bool done = false; !done;) {
        const auto next = mappings.next();
        if (!next) {
            good = tl::unexpected(next.error());
            break;
        }
        done = !*next;
        const range mapped = next->value_or(range{~address{0}, 0});
        const range gap = os::clipped(end_of_previous, mapped.base, within);
        const address first = align_up<address>(gap.base, os::page_bytes());
        const address last = align_down<address>(gap.base + gap.bytes, os::page_bytes());
        if (last > first && last - first > largest.bytes)
            largest = {first, last - first};
        end_of_previous = mapped.base + mapped.bytes;
    }
    (void)os::close(*maps); // it was only read: nothing is lost
    return good.map([&] { return largest; });
}

} // namespace palloc::inline v0
