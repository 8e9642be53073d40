// SPDX-License-Identifier: MIT
#include "place.hpp"

#include <palloc/core/address_space.hpp>
#include <palloc/core/layout.hpp>

#include <algorithm>
#include <atomic>
#include <optional>

namespace palloc::inline v0::os {
namespace {

/// @brief The part of `within` that a process may ask for.
range in_user_space(range within) noexcept {
    const range all = user_space();
    const address base = std::max(all.base, within.base);
    const address end = std::min(all.base + all.bytes,
                                 within.base + std::min(within.bytes, ~address{0} - within.base));
    return {base, end > base ? end - base : 0};
}

/// @brief Calls `look(gap)` for what is free in a range, from below, until it answers true.
template <class Look>
result<void> each_gap(range within, Look&& look) noexcept {
    const range all = in_user_space(within);
    const address end = all.base + all.bytes;
    for (address at = all.base; at < end;) {
        const auto there = query(at);
        if (!there)
            return tl::unexpected(there.error());
        const address next = there->where.base + there->where.bytes;
        if (there->is_free && look(range{at, std::min(next, end) - at}))
            return {};
        at = next;
    }
    return {};
}

/// @brief The lowest multiple of `alignment` in `gap` with room for `bytes` behind it.
std::optional<address> aligned_in(range gap, std::uint64_t bytes,
                                  std::uint64_t alignment) noexcept {
    const auto base = checked_align_up(gap.base, alignment);
    if (!base || !gap.contains(range{*base, bytes}))
        return std::nullopt;
    return base;
}

/// @brief Tries every gap in turn. Another thread may take one first; then it is passed over.
result<address> take_in_gaps(range within, std::uint64_t bytes, std::uint64_t alignment,
                             taker& of) noexcept {
    result<address> taken = fail(errc::out_of_memory);
    const auto looked = each_gap(within, [&](range gap) noexcept {
        const auto place = aligned_in(gap, bytes, alignment);
        if (!place)
            return false;
        taken = of.take(*place, bytes);
        if (taken || taken.error().os_code != address_taken)
            return true;
        taken = fail(errc::out_of_memory);
        return false;
    });
    return looked ? taken : tl::unexpected(looked.error());
}

/// @brief Gives back what was only tried; where that fails at first it is tried again, so that
/// nothing stays.
result<void> let_go(address base) noexcept {
    auto freed = release(base);
    if (!freed)
        (void)release(base);
    return freed;
}

/// @brief Finds a place by reserving more than is needed. Another thread may take it in between;
/// then another one is found, and in the end the gaps are tried in turn.
result<address> take_aligned(std::uint64_t bytes, std::uint64_t alignment, taker& of) noexcept {
    const auto more = checked_add(bytes, alignment - granularity());
    if (!more)
        return fail(errc::too_large);
    for (int attempt = 0; attempt != 8; ++attempt) {
        const auto all = allocate(0, *more, kind_of_pages::addresses);
        if (!all)
            break; // fragmented: there may be an aligned place all the same
        if (const auto freed = let_go(*all); !freed)
            return tl::unexpected(freed.error());
        const auto taken = of.take(align_up(*all, alignment), bytes);
        if (taken || taken.error().os_code != address_taken)
            return taken;
    }
    return take_in_gaps(anywhere, bytes, alignment, of);
}

class allocating final : public taker {
  public:
    explicit allocating(kind_of_pages kind) noexcept : kind_(kind) {}
    result<address> take(address at, std::uint64_t bytes) noexcept override {
        return allocate(at, bytes, kind_);
    }

  private:
    kind_of_pages kind_;
};

/// @brief What VirtualAlloc2 may be told: its bounds are multiples of the granularity. Empty: no
/// region fits.
range bounds_in(range within) noexcept {
    const range all = in_user_space(within);
    const auto base = checked_align_up<address>(all.base, granularity());
    const address end = align_down<address>(all.base + all.bytes, page_bytes());
    return base && end > *base ? range{*base, end - *base} : range{};
}

/// @brief Whether the system only says that it found no place, or that it cannot be asked like
/// that.
bool may_be_found_by_walking(error why) noexcept {
    return why.code == errc::not_supported || why.os_code == not_enough_memory ||
           why.os_code == invalid_parameter || why.os_code == address_taken;
}

constinit std::atomic<bool> heeds_requirements = true;

/// @brief Asks the system for a place. Answers `not_supported` where it has no way to, or does not
/// heed what it is told.
result<address> place_by_system(const map_request& wanted, std::uint64_t alignment,
                                std::uint64_t bytes, kind_of_pages kind) noexcept {
    if (!heeds_requirements.load(std::memory_order_relaxed))
        return fail(errc::not_supported);
    const bool has_range = wanted.within != anywhere;
    const range bounds = has_range ? bounds_in(wanted.within) : anywhere;
    if (bytes > bounds.bytes)
        return fail(errc::out_of_memory);
    const auto got = allocate_within(bounds, alignment, bytes, kind);
    if (!got || (bounds.contains(range{*got, bytes}) && *got % alignment == 0))
        return got;
    heeds_requirements.store(false, std::memory_order_relaxed);
    if (const auto freed = let_go(*got); !freed)
        return tl::unexpected(freed.error());
    return fail(errc::not_supported);
}

} // namespace

result<address> take_placed(const map_request& wanted, std::uint64_t bytes, taker& of) noexcept {
    const std::uint64_t alignment = std::max<std::uint64_t>(wanted.alignment, granularity());
    if (wanted.within != anywhere)
        return take_in_gaps(wanted.within, bytes, alignment, of);
    return alignment > granularity() ? take_aligned(bytes, alignment, of) : of.take(0, bytes);
}

result<address> allocate_placed(const map_request& wanted, std::uint64_t bytes,
                                kind_of_pages kind) noexcept {
    const std::uint64_t alignment = std::max<std::uint64_t>(wanted.alignment, granularity());
    if (wanted.within != anywhere || alignment > granularity()) {
        auto placed = place_by_system(wanted, alignment, bytes, kind);
        if (placed || !may_be_found_by_walking(placed.error()))
            return placed;
    }
    allocating by_address(kind);
    return take_placed(wanted, bytes, by_address);
}

} // namespace palloc::inline v0::os

namespace palloc::inline v0 {

result<range> largest_gap(range within) noexcept {
    range largest;
    const auto looked = os::each_gap(within, [&](range gap) noexcept {
        const auto first = checked_align_up<address>(gap.base, os::granularity());
        const address end = align_down<address>(gap.base + gap.bytes, os::page_bytes());
        if (first && end > *first && end - *first > largest.bytes)
            largest = {*first, end - *first};
        return false;
    });
    return looked.map([&]() noexcept { return largest; });
}

} // namespace palloc::inline v0
