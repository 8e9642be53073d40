// SPDX-License-Identifier: MIT
// Typed allocators as the standard's two kinds, and the standard's resources as a typed allocator.
#include <palloc/bridges/resource_allocator.hpp>
#include <palloc/bridges/typed_resource.hpp>
#include <palloc/bridges/typed_std_allocator.hpp>
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "support/ledger.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;

namespace {

/// The allocators of the process, and handles on heaps of one's own.
template <class A>
struct holder {
    [[nodiscard]] A handle() { return A(); }
};
template <class Heap>
struct holder<allocator_ref<Heap>> {
    Heap heap;
    [[nodiscard]] allocator_ref<Heap> handle() { return heap; }
};
template <>
struct holder<kv_allocator<allocator_ref<kmalloc_heap>, owner_ref<vmalloc_heap>>> {
    kmalloc_heap small;
    vmalloc_heap large;
    [[nodiscard]] kv_allocator<allocator_ref<kmalloc_heap>, owner_ref<vmalloc_heap>> handle() {
        return {small, large};
    }
};
using handles =
    std::tuple<kmalloc, vmalloc, kvmalloc, allocator_ref<kmalloc_heap>, allocator_ref<vmalloc_heap>,
               kv_allocator<allocator_ref<kmalloc_heap>, owner_ref<vmalloc_heap>>>;

} // namespace

BOOST_AUTO_TEST_SUITE(typed_bridges)

BOOST_AUTO_TEST_CASE_TEMPLATE(every_allocator_serves_the_standard_s_resources, A, handles) {
    holder<A> from;
    typed_resource<A> resource(from.handle());
    {
        std::pmr::unordered_map<int, std::pmr::string> texts(&resource);
        std::pmr::vector<std::pmr::vector<int>> rows(&resource);
        std::pmr::deque<long double> numbers(&resource);
        for (int i = 0; i != 200; ++i) {
            texts.emplace(i, std::string(60, static_cast<char>('a' + i % 26)));
            rows.emplace_back(static_cast<std::size_t>(i), i);
            numbers.push_back(i);
            numbers.push_front(-i);
        }
        for (int i = 0; i != 100; ++i)
            texts.erase(2 * i);
        BOOST_TEST((texts.size() == 100u && texts.at(27) == std::pmr::string(60, 'b')));
        BOOST_TEST((rows[199].back() == 199 && rows[57].size() == 57u));
        BOOST_TEST((rows[199].get_allocator().resource() == &resource));
        BOOST_TEST((numbers.front() == -199 && numbers.back() == 199 && numbers.size() == 400u));
        const auto copy = std::pmr::vector<std::pmr::vector<int>>(rows, &resource);
        BOOST_TEST((copy == rows));
    }
    void* const wide = resource.allocate(100, 256);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(wide) % 256 == 0u);
    resource.deallocate(wide, 100, 256);
    typed_resource<A> same(from.handle());
    BOOST_TEST((resource == same));
    typed_resource<A> refused(from.handle(), flags::nowait);
    BOOST_CHECK_THROW((void)refused.allocate(std::size_t{1} << 60, 8), std::bad_alloc);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(every_allocator_serves_containers_of_the_standard, A, handles) {
    holder<A> from;
    const typed_std_allocator<int, A> it(from.handle());
    std::vector<int, typed_std_allocator<int, A>> numbers(it);
    std::list<int, typed_std_allocator<int, A>> listed(it);
    std::set<int, std::less<>, typed_std_allocator<int, A>> ordered(it);
    for (int i = 0; i != 3000; ++i)
        numbers.push_back(i);
    for (int i = 0; i != 100; ++i) {
        listed.push_back(i);
        ordered.insert(99 - i);
    }
    BOOST_TEST(std::ranges::is_sorted(numbers));
    BOOST_TEST((numbers.size() == 3000u && numbers.back() == 2999));
    BOOST_TEST(std::ranges::equal(listed, ordered));
    auto moved = std::move(numbers);
    BOOST_TEST((moved.size() == 3000u && moved.get_allocator() == it));
    const auto shared = std::allocate_shared<std::array<int, 10>>(it);
    BOOST_TEST(shared->front() == 0);
}

BOOST_AUTO_TEST_CASE(blocks_of_a_heap_of_one_s_own_come_from_it_and_go_back) {
    vmalloc_heap heap;
    vmalloc_heap other;
    typed_resource resource{allocator_ref<vmalloc_heap>(heap)};
    const typed_resource different{allocator_ref<vmalloc_heap>(other)};
    BOOST_TEST((resource != different));
    {
        const std::pmr::vector<int> numbers(5000, 1, &resource);
        BOOST_TEST((heap.owns(reinterpret_cast<const std::byte*>(numbers.data()))));
        BOOST_TEST((heap.used_bytes() >= 20000u && other.used_bytes() == 0u));
    }
    BOOST_TEST(heap.used_bytes() == 0u);
    using from_heap = typed_std_allocator<int, allocator_ref<vmalloc_heap>>;
    BOOST_TEST((from_heap(allocator_ref(heap)) != from_heap(allocator_ref(other))));
    const std::vector<int, from_heap> numbers(5000, 1, from_heap(allocator_ref(heap)));
    BOOST_TEST(heap.used_bytes() >= 20000u);
}

BOOST_AUTO_TEST_CASE(containers_of_the_standard_live_in_a_typed_allocator) {
    ledger memory;
    typed_resource resource{ledger_ref(memory)};
    {
        std::pmr::map<int, std::pmr::string> texts(&resource);
        for (int i = 0; i != 100; ++i)
            texts.emplace(i, std::string(50, 'x'));
        BOOST_TEST(memory.live() == 200u);
    }
    BOOST_TEST(memory.live() == 0u);
    void* const nothing = resource.allocate(0, 64);
    BOOST_TEST((nothing != nullptr && reinterpret_cast<std::uintptr_t>(nothing) % 64 == 0));
    resource.deallocate(nothing, 0, 64);
    memory.fail_nth(1);
    BOOST_CHECK_THROW((void)resource.allocate(8, 8), std::bad_alloc);

    ledger other;
    typed_resource same{ledger_ref(memory)};
    typed_resource different{ledger_ref(other)};
    BOOST_TEST((resource == same && resource != different));
    BOOST_TEST((resource != *std::pmr::new_delete_resource()));
}

BOOST_AUTO_TEST_CASE(the_standard_s_allocator_too) {
    ledger memory;
    using own = typed_std_allocator<int, ledger_ref>;
    {
        const own from{ledger_ref(memory)};
        std::vector<int, own> numbers(from);
        std::list<int, own> listed(from);
        for (int i = 0; i != 1000; ++i) {
            numbers.push_back(i);
            listed.push_back(i);
        }
        BOOST_TEST((numbers[999] == 999 && listed.back() == 999));
        BOOST_TEST(memory.live() >= 1001u);
    }
    own it{ledger_ref(memory)};
    memory.fail_nth(1);
    BOOST_CHECK_THROW((void)it.allocate(1), std::bad_alloc);
    BOOST_CHECK_THROW((void)it.allocate(~std::size_t{0} / 2), std::bad_array_new_length);
    int* const none = it.allocate(0);
    BOOST_TEST(none != nullptr);
    it.deallocate(none, 0);
    using stateless = typed_std_allocator<int, kvmalloc>;
    static_assert(std::is_empty_v<stateless>);
    std::vector<int, stateless> numbers(100000, 3);
    BOOST_TEST(numbers.back() == 3);
}

BOOST_AUTO_TEST_CASE(any_resource_is_a_typed_allocator) {
    ledger memory; // behind a resource, so that layouts are checked
    typed_resource resource{ledger_ref(memory)};
    resource_allocator it(resource);
    auto block = *alloc(it, {100, 64}, flags::kernel | flags::zero);
    BOOST_TEST((block.size() == 100u && block[99] == std::byte{0}));
    std::memset(block.data(), 1, block.size());
    block = *it.realloc(block.data(), {200, 64}, {100, 64}, flags::kernel | flags::zero, no_node);
    BOOST_TEST((block[99] == std::byte{1} && block[100] == std::byte{0}));
    memory.fail_nth(1);
    BOOST_TEST(
        (it.realloc(block.data(), {300, 64}, {200, 64}, flags::kernel, no_node).error().code ==
         errc::out_of_memory));
    BOOST_TEST((alloc(it, {1, 1}, flags::atomic).error().code == errc::not_supported));
    BOOST_TEST((alloc(it, {1, 3}, flags::kernel).error().code == errc::bad_alignment));
    BOOST_TEST((alloc(it, {~std::uint64_t{0}, 1}, flags::kernel).error().code == errc::too_large));
    free(it, block.data(), {200, 64});
    BOOST_TEST(it.realloc(nullptr, {0, 32}, {0, 1}, {}, no_node)->data() == dangling(32));
    std::pmr::monotonic_buffer_resource arena;
    vec<int, resource_allocator> numbers{resource_allocator(arena)};
    for (int i = 0; i != 1000; ++i)
        BOOST_TEST(numbers.push(i, flags::kernel).has_value());
    BOOST_TEST(numbers[999] == 999);
}

BOOST_AUTO_TEST_CASE(over_new_and_delete_it_is_the_kernel_s_model) {
    const resource_allocator from(*std::pmr::new_delete_resource());
    resource_allocator it(from);
    for (const layout& wanted : {layout{1, 1}, layout{1024, 128}, layout{4 * 4096, 8192}}) {
        auto block = *alloc(it, wanted, flags::kernel | flags::zero); // its test_alignment
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(block.data()) % wanted.alignment == 0u);
        BOOST_TEST((block.back() == std::byte{0}));
        block.front() = std::byte{5};
        const layout more{2 * wanted.bytes, wanted.alignment};
        block = *it.realloc(block.data(), more, wanted, flags::kernel, no_node);
        BOOST_TEST((block.size() == more.bytes && block.front() == std::byte{5}));
        free(it, block.data(), more);
    }
    vec<std::string, resource_allocator> texts{from};
    for (int i = 0; i != 100; ++i)
        BOOST_TEST(texts.push(std::string(50, 'x'), flags::kernel).has_value());
    BOOST_TEST(texts[99].size() == 50u);
    const auto held = box<int, resource_allocator>::make_in(from, flags::kernel, 7);
    BOOST_TEST(**held == 7);
}

BOOST_AUTO_TEST_SUITE_END()
