// SPDX-License-Identifier: MIT
#include <palloc/backings/section.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/metadata/mapped_metadata.hpp>

#include <atomic>
#include <new>
#include <utility>

#include "../page_parts.hpp"
#include "os.hpp"
#include "place.hpp"
#include "section_views.hpp"

namespace palloc::inline v0 {
namespace {

using counter = std::atomic<std::uint32_t>;

result<counter*> make_counter() noexcept {
    return default_metadata().take(sizeof(counter)).map([](std::byte* storage) noexcept {
        return ::new (storage) counter(0);
    });
}

void drop_counter(counter* gone) noexcept {
    default_metadata().give_back(reinterpret_cast<std::byte*>(gone), sizeof(counter));
}

/// @brief Views of a section, mapped for writing.
class mapping final : public os::taker {
  public:
    explicit mapping(os::handle of) noexcept : of_(of) {}
    result<address> take(address at, std::uint64_t bytes) noexcept override {
        return os::map_view(of_, 0, bytes, os::view_kind::writer, at);
    }

  private:
    os::handle of_;
};

/// @brief A place that no allocation is given by chance while a view is swapped: far from where the
/// system begins to look.
result<address> take_far_away(std::uint64_t bytes, os::taker& of) noexcept {
    constexpr address lowest = address{1} << 40;
    constexpr address step_mask = (address{1} << 46) - lowest - 1;
    static constinit std::atomic<std::uint64_t> state = 0;
    const range all = os::user_space();
    std::uint64_t seed = os::ticks();
    for (int attempt = 0; attempt != 8; ++attempt) {
        seed += state.fetch_add(0x9e37'79b9'7f4a'7c15, std::memory_order_relaxed);
        std::uint64_t mixed = (seed ^ (seed >> 30)) * 0xbf58'476d'1ce4'e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11eb;
        const address at =
            align_down<address>(lowest + ((mixed ^ (mixed >> 31)) & step_mask), os::granularity());
        if (!all.contains(range{at, bytes}))
            continue;
        const auto taken = of.take(at, bytes);
        if (taken || taken.error().os_code != os::address_taken)
            return taken;
    }
    return of.take(0, bytes);
}

result<address> first_view(os::handle of, const map_request& wanted, std::uint64_t bytes) noexcept {
    if (os::has_placeholders()) {
        const auto held = os::allocate_placed(wanted, bytes, os::kind_of_pages::placeholder);
        if (!held)
            return held;
        if (const auto placed = os::map_over(of, 0, {*held, bytes}, os::view_kind::writer);
            !placed) {
            (void)os::release(*held);
            return tl::unexpected(placed.error());
        }
        return held;
    }
    mapping views(of);
    if (wanted.within == anywhere && wanted.alignment <= os::granularity())
        return take_far_away(bytes, views);
    return os::take_placed(wanted, bytes, views);
}

} // namespace

std::size_t section::page_bytes() const noexcept {
    return os::granularity();
}

result<section::region> section::map(const map_request& wanted) noexcept {
    if (wanted.node != any_node)
        return fail(errc::not_supported);
    const auto bytes = os::whole_pages(wanted, os::granularity());
    if (!bytes)
        return tl::unexpected(bytes.error());
    bool may_execute = true;
    auto made = os::make_section(*bytes, may_execute);
    if (!made && (made.error().os_code == os::dynamic_code_blocked ||
                  made.error().os_code == os::access_denied)) {
        may_execute = false;
        made = os::make_section(*bytes, may_execute);
    }
    if (!made)
        return tl::unexpected(made.error());
    const auto counter = make_counter();
    const auto base = counter ? first_view(*made, wanted, *bytes) : tl::unexpected(counter.error());
    if (!base) {
        if (counter)
            drop_counter(*counter);
        (void)os::close(*made);
        return tl::unexpected(base.error());
    }
    return region({*base, *bytes}, *made, *counter, may_execute);
}

result<void> section::unmap(region& it) noexcept {
    if (it.alias_ != 0) {
        if (const auto gone = os::unmap_view(it.alias_); !gone)
            return gone;
        it.alias_ = 0;
    }
    if (const auto gone = changing(it).end(); !gone)
        return gone;
    if (it.handle_ != nullptr)
        (void)os::close(std::exchange(it.handle_, nullptr)); // nothing can be lost
    if (it.parts_ != nullptr)
        drop_counter(std::exchange(it.parts_, nullptr));
    return {};
}

result<void> section::show(region& it, range part, permissions allowed, bool may_stay) noexcept {
    if (executable(allowed) && !it.may_execute_)
        return fail(errc::not_supported);
    if (writable(allowed) && it.handle_ == nullptr)
        return fail(errc::os_failure, os::access_denied);
    if (const auto whole = changing(it).find_lost(); !whole)
        return whole;
    if (part.bytes == 0)
        return {};
    return it.handle_ == nullptr ? changing(it).allow(part, allowed)
                                 : changing(it).show(part, allowed, may_stay);
}

result<void> section::protect(region& it, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part, os::granularity()))
        return fail(errc::bad_argument);
    if (part != it.where_ && it.handle_ != nullptr)
        if (const auto apart = changing(it).split(); !apart)
            return apart;
    return show(it, part, allowed, true);
}

result<void> section::replace_view(region& it, permissions allowed) noexcept {
    return show(it, it.where_, allowed, false);
}

result<void> section::replace_view(region& it, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part, os::granularity()))
        return fail(errc::bad_argument);
    if (it.handle_ != nullptr)
        if (const auto apart = changing(it).split(); !apart)
            return apart;
    return show(it, part, allowed, false);
}

result<address> section::open_alias(region& it) noexcept {
    if (it.alias_ != 0)
        return fail(errc::bad_argument);
    if (it.handle_ == nullptr)
        return fail(errc::os_failure, os::access_denied);
    return os::map_view(it.handle_, 0, it.where_.bytes, os::view_kind::writer, 0)
        .map([&](address base) noexcept { return it.alias_ = base; });
}

result<void> section::close_alias(region& it) noexcept {
    if (it.alias_ == 0)
        return fail(errc::bad_argument);
    auto gone = os::unmap_view(it.alias_);
    if (gone)
        it.alias_ = 0;
    return gone;
}

result<void> section::seal(region& it) noexcept {
    if (it.handle_ == nullptr)
        return {};
    if (const auto whole = changing(it).find_lost(); !whole)
        return whole;
    const auto has_writer = changing(it).has_writer();
    if (!has_writer)
        return tl::unexpected(has_writer.error());
    const bool has_parts = it.parts_ != nullptr && it.parts_->load(std::memory_order_acquire) != 0;
    if (*has_writer || it.alias_ != 0 || has_parts)
        return fail(errc::os_failure, os::busy);
    (void)os::close(std::exchange(it.handle_, nullptr)); // gone even where that fails
    return {};
}

result<address> section::open_part(region& it, range part) noexcept {
    if (part.bytes == 0 || !it.where_.contains(part))
        return fail(errc::bad_argument);
    if (it.handle_ == nullptr)
        return fail(errc::os_failure, os::access_denied);
    const range units = os::pages_around(part, os::granularity());
    const auto base = os::map_view(it.handle_, units.base - it.where_.base, units.bytes,
                                   os::view_kind::writer, 0);
    if (!base)
        return base;
    it.parts_->fetch_add(1, std::memory_order_relaxed);
    return *base + (part.base - units.base);
}

result<void> section::close_part(region& it, range opened) noexcept {
    auto gone = os::unmap_view(align_down<address>(opened.base, os::granularity()));
    if (gone && it.parts_ != nullptr)
        it.parts_->fetch_sub(1, std::memory_order_release);
    return gone;
}

} // namespace palloc::inline v0
