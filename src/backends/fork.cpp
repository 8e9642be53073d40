// SPDX-License-Identifier: MIT
#include "fork.hpp"

#include <palloc/core/spin_lock.hpp>

#include <atomic>

#include <sys/mman.h>

#include "os.hpp"

namespace palloc::inline v0::os {
namespace {

using number = std::atomic<std::uint64_t>;

constinit std::atomic<number*> wiped_page = nullptr; ///< 0 in a child that has not looked yet
constinit number newest = 0;                         ///< copied into every child

result<number*> the_page() noexcept {
    if (number* const page = wiped_page.load(std::memory_order_acquire))
        return page;
    const auto base = map(0, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (!base)
        return tl::unexpected(base.error());
    const range page{*base, page_bytes()};
    if (const auto wiped = advise(page, MADV_WIPEONFORK); !wiped) {
        (void)unmap(page);
        return tl::unexpected(wiped.error());
    }
    auto* const made = reinterpret_cast<number*>(*base);
    number* there = nullptr;
    if (wiped_page.compare_exchange_strong(there, made))
        return made;
    (void)unmap(page); // another thread was first
    return there;
}

std::uint64_t number_in(number& page) noexcept {
    std::uint64_t here = page.load();
    if (here != 0)
        return here;
    const std::uint64_t fresh = newest.fetch_add(1) + 1;
    return page.compare_exchange_strong(here, fresh) ? fresh : here;
}

} // namespace

result<std::uint64_t> process_generation() noexcept {
    return the_page().map([](number* page) noexcept { return number_in(*page); });
}

const std::atomic<std::uint64_t>* generation_page() noexcept {
    return wiped_page.load(std::memory_order_acquire);
}

bool is_generation(std::uint64_t wanted) noexcept {
    number* const page = wiped_page.load(std::memory_order_acquire);
    return page != nullptr && number_in(*page) == wanted;
}

result<void> treat_in_child(range where, fork_treatment treatment) noexcept {
    switch (treatment) {
    case fork_treatment::copied:
        return {};
    case fork_treatment::absent:
        return advise(where, MADV_DONTFORK);
    case fork_treatment::wiped:
        return advise(where, MADV_WIPEONFORK);
    case fork_treatment::shared:
    case fork_treatment::read_only:
        break;
    }
    return fail(errc::not_supported);
}

result<void> give_access_here_only(range view, int protection) noexcept {
    return advise(view, MADV_DONTFORK).and_then([&] { return protect(view, protection); });
}

} // namespace palloc::inline v0::os

namespace palloc::inline v0::detail {

std::uint64_t this_process() noexcept {
    return os::process_generation().value_or(1); // no memory for a page: as good as no fork
}

} // namespace palloc::inline v0::detail
