// SPDX-License-Identifier: MIT
// A node is a wish: checked, met where it can be, and counted where not.
#include <palloc/backings/detail/node_binding.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/node_placement.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <tuple>

#include <linux/mempolicy.h>

#include "backends/os.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

constexpr numa_node first{0};
using heaps = std::tuple<kmalloc_heap, vmalloc_heap>;

const node_placement& placement_of(auto& heap) {
    return heap.placement();
}

constexpr std::size_t page = 4096;

/// How the kernel places a page of a block.
int policy_of(std::span<const std::byte> block, std::size_t number) {
    return os::policy({}, reinterpret_cast<address>(block.data()) + number * page, MPOL_F_ADDR)
        .value();
}
/// Whether it prefers the first node, and no other.
bool prefers_first(std::span<const std::byte> block, std::size_t number) {
    std::array<unsigned long, 16> nodes{};
    const auto mode =
        os::policy(nodes, reinterpret_cast<address>(block.data()) + number * page, MPOL_F_ADDR);
    return mode.value() == MPOL_PREFERRED && nodes.front() == 1 &&
           std::ranges::count(nodes, 0UL) == std::ssize(nodes) - 1;
}
void skip_unless_met(auto& heap) {
    if (placement_of(heap).unmet() != 0)
        test::skip("this kernel lets nobody choose a node");
}

} // namespace

BOOST_AUTO_TEST_SUITE(nodes)

BOOST_AUTO_TEST_CASE_TEMPLATE(memory_comes_from_the_node_that_is_named, Heap, heaps) {
    Heap heap;
    const layout wanted{3 * 4096, 1};
    const auto got = alloc(heap, wanted, flags::kernel, first);
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST(placement_of(heap).wishes() >= 1u);
    if (placement_of(heap).unmet() != 0) {
        free(heap, got->data(), wanted);
        test::skip("this kernel lets nobody choose a node");
    }
    std::memset(got->data(), 1, got->size());
    for (std::size_t at = 0; at < got->size(); at += 4096)
        BOOST_TEST((detail::node_of(reinterpret_cast<address>(got->data()) + at).value() == first));
    free(heap, got->data(), wanted);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_kernel_knows_the_node_of_every_page, Heap, heaps) {
    Heap heap;
    const layout wanted{3 * page, page};
    const auto ordinary = *alloc(heap, wanted, flags::kernel);
    const auto named = *alloc(heap, wanted, flags::kernel, first);
    for (std::size_t i = 0; i != 3; ++i)
        BOOST_TEST((placement_of(heap).unmet() != 0 || prefers_first(named, i)));
    for (std::size_t i = 0; i != 3; ++i)
        BOOST_TEST(policy_of(ordinary, i) == MPOL_DEFAULT);
    free(heap, named.data(), wanted);
    free(heap, ordinary.data(), wanted);
    skip_unless_met(heap);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_block_that_fits_stays_where_it_was_whatever_node_is_named, Heap,
                              heaps) {
    Heap heap;
    const layout before{2 * page, page};
    const layout after{2 * page - 100, page};
    auto block = *alloc(heap, before, flags::kernel);
    std::memset(block.data(), 7, block.size());
    const auto* const there = block.data();
    block = *heap.realloc(block.data(), after, before, flags::kernel, first);
    BOOST_TEST((block.data() == there && block[after.bytes - 1] == std::byte{7}));
    BOOST_TEST((policy_of(block, 0) == MPOL_DEFAULT && policy_of(block, 1) == MPOL_DEFAULT));
    BOOST_TEST(placement_of(heap).wishes() == 0u);
    free(heap, block.data(), after);
}

BOOST_AUTO_TEST_CASE(a_block_of_kmalloc_that_does_not_fit_goes_to_the_node) {
    kmalloc_heap heap;
    const layout before{page, page};
    const layout after{3 * page, page};
    auto block = *alloc(heap, before, flags::kernel);
    std::memset(block.data(), 7, block.size());
    block = *heap.realloc(block.data(), after, before, flags::kernel, first);
    BOOST_TEST((block[0] == std::byte{7} && block[page - 1] == std::byte{7}));
    BOOST_TEST(placement_of(heap).wishes() == 1u);
    const bool met =
        placement_of(heap).unmet() != 0 ||
        (prefers_first(block, 0) && prefers_first(block, 1) && prefers_first(block, 2));
    BOOST_TEST(met);
    free(heap, block.data(), after);
    skip_unless_met(heap);
}

BOOST_AUTO_TEST_CASE(of_a_block_of_vmalloc_that_grows_the_new_pages_come_from_the_node) {
    for (const bool moves : {false, true}) {
        vmalloc_heap heap;
        const layout before{2 * page, 1};
        const layout after{4 * page, 1};
        auto block = *alloc(heap, before, flags::kernel);
        std::memset(block.data(), 7, block.size());
        const auto* const there = block.data();
        const auto wall = alloc(heap, {moves ? page : 0, 1}, flags::kernel);
        block = *heap.realloc(block.data(), after, before, flags::kernel, first);
        BOOST_TEST((block.data() != there) == moves);
        BOOST_TEST((block[0] == std::byte{7} && block[2 * page - 1] == std::byte{7}));
        BOOST_TEST((policy_of(block, 0) == MPOL_DEFAULT && policy_of(block, 1) == MPOL_DEFAULT));
        const bool met =
            placement_of(heap).unmet() != 0 || (prefers_first(block, 2) && prefers_first(block, 3));
        BOOST_TEST((met && placement_of(heap).wishes() == 1u));
        free(heap, block.data(), after);
        free(heap, wall->data(), {moves ? page : 0, 1});
        skip_unless_met(heap);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_may_not_ask_gets_memory_from_anywhere, Heap, heaps) {
    for (const int why : {EPERM, ENOSYS, EINVAL}) {
        Heap heap;
        os::fail_nth(os::call::bind, 1, why);
        const layout wanted{100, 1};
        const auto got = alloc(heap, wanted, flags::kernel, first);
        os::fail_nth(os::call::bind, 0, 0);
        BOOST_TEST_REQUIRE(got.has_value());
        std::memset(got->data(), 1, got->size());
        BOOST_TEST((placement_of(heap).wishes() == 1u && placement_of(heap).unmet() == 1u));
        const errc code = why == EINVAL ? errc::os_failure : errc::not_supported;
        BOOST_TEST((placement_of(heap).last_error() == error{code, why}));
        free(heap, got->data(), wanted);
    }
}

BOOST_AUTO_TEST_CASE(a_node_without_a_compartment_is_a_wish_too) {
    kmalloc_heap heap;
    for (const std::int32_t number : {64, 1023}) {
        const auto before = heap.placement().unmet();
        const auto got = alloc(heap, {100, 1}, flags::kernel, numa_node{number});
        BOOST_TEST_REQUIRE(got.has_value());
        BOOST_TEST(heap.placement().unmet() == before + 1);
        BOOST_TEST((heap.placement().last_error().code == errc::not_supported));
        free(heap, got->data(), {100, 1});
    }
    kvmalloc either;
    const auto got = alloc(either, {100, 1}, flags::kernel, numa_node{1023});
    BOOST_TEST_REQUIRE(got.has_value());
    free(either, got->data(), {100, 1});
}

BOOST_AUTO_TEST_CASE(without_blocking_what_is_mapped_is_served_from_anywhere) {
    kmalloc_heap heap;
    const layout wanted{100, 1};
    BOOST_TEST((alloc(heap, wanted, flags::nowait, first).error().code == errc::out_of_memory));
    const auto ordinary = *alloc(heap, wanted, flags::kernel);
    const auto before = heap.placement().unmet();
    const auto got = alloc(heap, wanted, flags::nowait, first);
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST(heap.placement().unmet() == before + 1);
    free(heap, got->data(), wanted);
    free(heap, ordinary.data(), wanted);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_block_that_stays_is_asked_for_a_node_that_there_can_be, Heap,
                              heaps) {
    Heap heap;
    const layout wanted{100, 1};
    const auto block = *alloc(heap, wanted, flags::kernel);
    for (const std::int32_t number : {-7, numa_node::limit}) {
        const auto same =
            heap.realloc(block.data(), {90, 1}, wanted, flags::kernel, numa_node{number});
        BOOST_TEST((same.error().code == errc::bad_argument));
    }
    free(heap, block.data(), wanted);
}

BOOST_AUTO_TEST_SUITE_END()
