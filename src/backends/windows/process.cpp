// SPDX-License-Identifier: MIT
// What is simple here: no forks, no limit on mappings, no choice of a node afterwards.
#include <palloc/backings/detail/node_binding.hpp>
#include <palloc/core/mapping_use.hpp>
#include <palloc/core/process.hpp>

#include "os.hpp"

namespace palloc::inline v0 {
namespace {

constinit std::atomic<std::uint64_t> only_generation = 1;

} // namespace

constinit std::atomic<const std::atomic<std::uint64_t>*> detail::generation_page = &only_generation;

std::uint64_t detail::generation_now() noexcept {
    return only_generation.load(std::memory_order_relaxed);
}

result<void> synchronise_instructions(range changed) noexcept {
    return os::flush_instructions(changed);
}

result<mapping_use> mappings_in_use() noexcept {
    return fail(errc::not_supported);
}

} // namespace palloc::inline v0

namespace palloc::inline v0::detail {

bool call_when_thread_ends(void (*call)() noexcept) noexcept {
    struct thread_end {
        void (*call)() noexcept = nullptr;
        ~thread_end() {
            if (call != nullptr)
                call();
        }
    };
    static thread_local thread_end end;
    end.call = call;
    return true;
}

std::uint64_t this_process() noexcept {
    return 1;
}

result<void> bind_to_node(range, numa_node node, bool) noexcept {
    if (node == any_node)
        return {};
    if (node.number < 0 || node.number >= numa_node::limit)
        return fail(errc::bad_argument);
    return fail(errc::not_supported);
}

result<numa_node> node_of(address) noexcept {
    return fail(errc::not_supported);
}

} // namespace palloc::inline v0::detail
