// SPDX-License-Identifier: MIT
/// @file
/// @brief All typed allocators, and for each a rig: the allocator together with what it stands on.
#pragma once

#include <palloc/backings/failing.hpp>
#include <palloc/bridges/resource_allocator.hpp>
#include <palloc/bridges/typed_resource.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/kalloc.hpp>
#if !defined(_WIN32)
#include <palloc/backings/hugepage.hpp>
#endif

#include <cstdint>
#include <tuple>

#include "support/ledger.hpp"

namespace palloc::test {

using failing_kmalloc = basic_kmalloc_heap<failing<native_memory>>;
using failing_vmalloc = basic_vmalloc_heap<failing<native_addresses>>;
using failing_kvmalloc = kv_allocator<allocator_ref<failing_kmalloc>, owner_ref<failing_vmalloc>>;

#if defined(_WIN32)
using heap_of_another_kind = basic_kmalloc_heap<virtual_alloc>;
#else
using heap_of_another_kind = basic_kmalloc_heap<hugepage>;
#endif

using typed_allocator_models = std::tuple<kmalloc,                     //
                                          vmalloc,                     //
                                          kvmalloc,                    //
                                          kmalloc_heap,                //
                                          vmalloc_heap,                //
                                          heap_of_another_kind,        //
                                          allocator_ref<kmalloc_heap>, //
                                          failing_kmalloc,             //
                                          failing_vmalloc,             //
                                          failing_kvmalloc,            //
                                          resource_allocator,          //
                                          ledger,                      //
                                          ledger_ref>;

/// @brief `typed_rig<A>().allocator` is an A that works. Where `fail_nth(n)` is there too, the nth
/// call from now on to what is beneath fails; `calls()` counts them.
template <typed_allocator A>
struct typed_rig {
    A allocator{};
};
template <>
struct typed_rig<allocator_ref<kmalloc_heap>> {
    kmalloc_heap heap;
    allocator_ref<kmalloc_heap> allocator{heap};
};
template <>
struct typed_rig<failing_kmalloc> {
    fault_script script;
    failing_kmalloc allocator{{.step_bytes = 1 << 16}, failing(native_memory(), script)};

    void fail_nth(std::uint64_t n) { script.fail_nth(backing_call::any, n); }
    [[nodiscard]] std::uint64_t calls() const { return script.calls(backing_call::any); }
};
template <>
struct typed_rig<failing_vmalloc> {
    fault_script script;
    failing_vmalloc allocator{{.step_bytes = 1 << 30}, failing(native_addresses(), script)};

    void fail_nth(std::uint64_t n) { script.fail_nth(backing_call::any, n); }
    [[nodiscard]] std::uint64_t calls() const { return script.calls(backing_call::any); }
};
/// @brief Both fail by one script: where the first does, the second is asked.
template <>
struct typed_rig<failing_kvmalloc> {
    fault_script script;
    failing_kmalloc small{{.step_bytes = 1 << 16, .cap_bytes = 1 << 22},
                          failing(native_memory(), script)};
    failing_vmalloc large{{.step_bytes = 1 << 30}, failing(native_addresses(), script)};
    failing_kvmalloc allocator{small, large};

    void fail_nth(std::uint64_t n) { script.fail_nth(backing_call::any, n); }
    [[nodiscard]] std::uint64_t calls() const { return script.calls(backing_call::any); }
};
template <>
struct typed_rig<ledger> {
    ledger allocator;

    void fail_nth(std::uint64_t n) { allocator.fail_nth(n); }
    [[nodiscard]] std::uint64_t calls() const { return allocator.calls(); }
};
template <>
struct typed_rig<ledger_ref> {
    ledger memory;
    ledger_ref allocator{memory};

    void fail_nth(std::uint64_t n) { memory.fail_nth(n); }
    [[nodiscard]] std::uint64_t calls() const { return memory.calls(); }
};
/// @brief Over a ledger, so that what the resource is told is checked, and can fail.
template <>
struct typed_rig<resource_allocator> {
    ledger memory;
    typed_resource<ledger_ref> resource{ledger_ref(memory)};
    resource_allocator allocator{resource};

    void fail_nth(std::uint64_t n) { memory.fail_nth(n); }
    [[nodiscard]] std::uint64_t calls() const { return memory.calls(); }
};

} // namespace palloc::test
