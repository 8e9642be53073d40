// SPDX-License-Identifier: MIT
#include <palloc/core/list_key.hpp>

#include <atomic>
#include <span>

#include "seam.hpp"
#include "written_once.hpp"

namespace palloc::inline v0::detail {

result<bool> make_list_key() noexcept {
    if (list_key() != nullptr)
        return false;
    siphash_key drawn{};
    if (const auto done = os::random(std::as_writable_bytes(std::span(drawn))); !done)
        return tl::unexpected(done.error());
    return os::write_once(
               [&](os::written_once& there) noexcept {
                   there.list_key = drawn;
                   there.has_list_key.store(true, std::memory_order_release);
               },
               [](os::written_once& there) noexcept { there.has_list_key = false; })
        .map([] { return true; });
}

const siphash_key* list_key() noexcept {
    const os::written_once& there = os::trusted();
    return there.has_list_key.load(std::memory_order_acquire) ? &there.list_key : nullptr;
}

} // namespace palloc::inline v0::detail
