// SPDX-License-Identifier: MIT
// What the kernel says of the nodes that pages are to come from.
#include <palloc/core/numa_node.hpp>
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/node_placement.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
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

BOOST_AUTO_TEST_SUITE(node_policies)

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

BOOST_AUTO_TEST_SUITE_END()
