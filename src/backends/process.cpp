// SPDX-License-Identifier: MIT
#include <palloc/core/process.hpp>

#include <cerrno>
#include <pthread.h>

#include <linux/membarrier.h>

#include "fork.hpp"
#include "os.hpp"

namespace palloc::inline v0 {

constinit std::atomic<const std::atomic<std::uint64_t>*> detail::generation_page = nullptr;

std::uint64_t detail::generation_now() noexcept {
    const auto number = os::process_generation();
    if (number)
        generation_page.store(os::generation_page(), std::memory_order_release);
    return number.value_or(0);
}

bool detail::call_when_thread_ends(void (*call)() noexcept) noexcept {
    static const struct thread_end {
        pthread_key_t key{};
        bool exists = pthread_key_create(
                          &key, [](void* value) { reinterpret_cast<void (*)()>(value)(); }) == 0;
        ~thread_end() { // the library may be unloaded while threads go on
            if (exists)
                (void)pthread_key_delete(key);
        }
    } end;
    return end.exists && pthread_setspecific(end.key, reinterpret_cast<void*>(call)) == 0;
}

result<void> synchronise_instructions(range changed) noexcept {
    flush_instructions(changed);
    const auto synchronise = [] { return os::barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE); };
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
