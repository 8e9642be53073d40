// SPDX-License-Identifier: MIT
#include "place.hpp"

#include <palloc/core/layout.hpp>

#include <algorithm>
#include <array>
#include <bit>
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
constexpr range user_space{0x10000, (std::uint64_t{1} << 47) - 0x1000 - 0x10000};

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
        auto taken = map(*place, bytes, what.protection, what.flags | MAP_FIXED_NOREPLACE,
                         what.file, what.offset);
        if (taken && *taken != *place) { // a kernel that takes the flag for a mere hint
            (void)unmap({*taken, bytes});
            return fail(errc::not_supported);
        }
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

} // namespace

result<std::uint64_t> whole_pages(const map_request& wanted) noexcept {
    if (wanted.bytes == 0)
        return fail(errc::zero_size);
    if (!std::has_single_bit(wanted.alignment))
        return fail(errc::bad_alignment);
    const auto bytes = checked_align_up<std::uint64_t>(wanted.bytes, page_bytes());
    if (!bytes)
        return fail(errc::too_large);
    return *bytes;
}

result<range> map_placed(const map_request& wanted, const mapping& what) noexcept {
    const auto bytes = whole_pages(wanted);
    if (!bytes)
        return tl::unexpected(bytes.error());
    const std::uint64_t page = page_bytes();
    const std::uint64_t alignment = std::max(wanted.alignment, page);
    const auto base = [&] {
        if (wanted.within != anywhere)
            return map_within(*bytes, alignment, wanted.within, what);
        if (alignment > page)
            return map_aligned(*bytes, alignment, page, what);
        return map(0, *bytes, what.protection, what.flags, what.file, what.offset);
    }();
    return base.map([&](address at) noexcept { return range{at, *bytes}; });
}

} // namespace palloc::inline v0::os
