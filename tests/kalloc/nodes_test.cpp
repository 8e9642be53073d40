// SPDX-License-Identifier: MIT
// A node is a wish: checked, met where it can be, and counted where not.
#include <palloc/backings/detail/node_binding.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/node_placement.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>

#include "backends/seam.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

constexpr numa_node first{0};
#if defined(_WIN32) // nobody can be asked
constexpr int refusals[] = {0};
void refuse_next(int) {}
#else
constexpr int refusals[] = {EPERM, ENOSYS, EINVAL};
void refuse_next(int why) {
    os::fail_nth(os::call::bind, why == 0 ? 0 : 1, why);
}
#endif
using heaps = std::tuple<kmalloc_heap, vmalloc_heap>;

const node_placement& placement_of(auto& heap) {
    return heap.placement();
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

BOOST_AUTO_TEST_CASE_TEMPLATE(who_may_not_ask_gets_memory_from_anywhere, Heap, heaps) {
    for (const int why : refusals) {
        Heap heap;
        refuse_next(why);
        const layout wanted{100, 1};
        const auto got = alloc(heap, wanted, flags::kernel, first);
        refuse_next(0);
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
