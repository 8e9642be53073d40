// SPDX-License-Identifier: MIT
#include <palloc/core/process.hpp>

#include <atomic>
#include <cerrno>
#include <new>
#include <unistd.h>

#include <linux/membarrier.h>
#include <sys/mman.h>

#include "os.hpp"

namespace palloc::inline v0 {
namespace {

/// @brief What the kernel replaces by zeros in a child. Null where it cannot.
std::atomic<std::uint64_t>* wiped_in_children() noexcept {
    const std::uint64_t bytes = os::page_bytes();
    const auto page = os::map(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (!page)
        return nullptr;
    if (!os::advise({*page, bytes}, MADV_WIPEONFORK)) {
        (void)os::unmap({*page, bytes});
        return nullptr;
    }
    return ::new (reinterpret_cast<void*>(*page)) std::atomic<std::uint64_t>(1);
}

/// @brief The largest number used by this process or one that it descends from.
constinit std::atomic<std::uint64_t> latest_generation = 1;

} // namespace

std::uint64_t process_generation() noexcept {
    static std::atomic<std::uint64_t>* const own = wiped_in_children();
    if (own == nullptr)
        return static_cast<std::uint64_t>(::getpid());
    std::uint64_t number = own->load(std::memory_order_acquire);
    if (number != 0) [[likely]]
        return number;
    const std::uint64_t fresh = latest_generation.fetch_add(1) + 1;
    return own->compare_exchange_strong(number, fresh) ? fresh : number;
}

result<void> synchronise_instructions(range changed) noexcept {
    __builtin___clear_cache(reinterpret_cast<char*>(changed.base),
                            reinterpret_cast<char*>(changed.base + changed.bytes));
    const auto synchronise = [] {
        return os::barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
    };
    auto done = synchronise();
    if (!done && done.error().os_code == EPERM) { // not registered yet
        if (const auto registered =
                os::barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
            !registered)
            return fail(registered.error().os_code == EINVAL ? errc::not_supported
                                                             : errc::os_failure,
                        registered.error().os_code);
        done = synchronise();
    }
    if (done)
        return {};
    const int why = done.error().os_code;
    return fail(why == ENOSYS || why == EINVAL ? errc::not_supported : errc::os_failure, why);
}

} // namespace palloc::inline v0
