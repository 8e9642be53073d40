// SPDX-License-Identifier: MIT
// on_node on whatever nodes there are, and by failing the call for the rest.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/on_node.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/metadata/mapped_metadata.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "backends/os.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

static_assert(backing_can_seal<on_node<memfd>> && !backing_can_seal<on_node<mmap_backing>>);
static_assert(backing_states_fork_treatment<on_node<mmap_backing>>);
static_assert(backing_can_discard<on_node<mmap_backing>>);

/// The nodes of this machine, or the case is skipped.
std::vector<numa_node> nodes() {
    std::vector<numa_node> all;
    for (std::int32_t number = 0; number != 1024; ++number)
        if (std::filesystem::exists("/sys/devices/system/node/node" + std::to_string(number)))
            all.push_back({number});
    mmap_backing probe;
    auto region = probe.map({.bytes = 4096}).value();
    const auto bound = all.empty() ? result<void>(fail(errc::not_supported))
                                   : detail::bind_to_node(probe.where(region), all[0], false);
    BOOST_TEST(probe.unmap(region).has_value());
    if (!bound)
        test::skip("this kernel lets nobody choose a node");
    return all;
}

BOOST_AUTO_TEST_CASE(memory_lies_on_the_node_that_is_asked_for) {
    for (const numa_node node : nodes())
        for (const node_wish wish : {node_wish::preferred, node_wish::required}) {
            on_node backing(mmap_backing(), any_node, wish);
            auto region = backing.map({.bytes = 4 * 4096, .node = node}).value();
            const address base = backing.where(region).base;
            test::check_fails(backing.node_of(region, base), {errc::os_failure, ENOENT});
            *reinterpret_cast<volatile char*>(base) = 1;
            BOOST_TEST((backing.node_of(region, base + 5).value() == node));
            test::check_fails(backing.node_of(region, base + 4 * 4096), {errc::not_ours});
            BOOST_TEST(backing.bound_regions() == 1u);
            BOOST_TEST(backing.unbound_regions() == 0u);
            BOOST_TEST(!backing.last_refusal().has_value());
            BOOST_TEST(backing.unmap(region).has_value());
        }
}

BOOST_AUTO_TEST_CASE(a_pool_passes_its_node_on) {
    const numa_node node = nodes().back();
    pool<static_granule<64>, on_node<memfd>, indexed, first_fit, unprotected> it(
        {.growth = growth_policy::refill(65536), .node = node}, {}, on_node(memfd(), any_node));
    const address block = it.allocate(100).value();
    BOOST_TEST(it.backing().bound_regions() == 1u);
    *reinterpret_cast<volatile char*>(block) = 1;
    BOOST_TEST((it.backing().node_of(it.find(block)->source, block).value() == node));
    BOOST_TEST(it.deallocate(block, 100).has_value());
}

BOOST_AUTO_TEST_CASE(a_refusal_is_reported_and_costs_nothing) {
    for (const int why : {EPERM, ENOSYS, EINVAL}) {
        on_node backing(mmap_backing(), numa_node{0});
        os::fail_nth(os::call::bind, 1, why);
        auto region = backing.map({.bytes = 4096}).value();
        *reinterpret_cast<volatile char*>(backing.where(region).base) = 1;
        BOOST_TEST(backing.bound_regions() == 0u);
        BOOST_TEST(backing.unbound_regions() == 1u);
        const errc code = why == EINVAL ? errc::os_failure : errc::not_supported;
        BOOST_TEST(backing.last_refusal().value() == (error{code, why}));
        BOOST_TEST(backing.unmap(region).has_value());
    }
}

BOOST_AUTO_TEST_CASE(who_requires_a_node_gets_it_or_an_error) {
    for (const int why : {EPERM, EINVAL}) {
        on_node backing(mmap_backing(), numa_node{0}, node_wish::required);
        const std::uint64_t pages = test::mapped_pages();
        os::fail_nth(os::call::bind, 1, why);
        const errc code = why == EINVAL ? errc::os_failure : errc::not_supported;
        test::check_fails(backing.map({.bytes = 4096}), {code, why});
        BOOST_TEST(test::mapped_pages() == pages);
    }
    on_node backing(mmap_backing(), any_node, node_wish::required);
    for (const std::int32_t no_such : {-2, 1024})
        test::check_fails(backing.map({.bytes = 4096, .node = {no_such}}), {errc::bad_argument});
    (void)nodes();
    test::check_fails(backing.map({.bytes = 4096, .node = {1023}}), {errc::os_failure, EINVAL});
}

BOOST_AUTO_TEST_CASE(who_wishes_for_no_node_asks_nobody) {
    on_node backing(mmap_backing(), any_node);
    const std::uint64_t before = os::calls(os::call::bind);
    auto region = backing.map({.bytes = 4096}).value();
    BOOST_TEST(os::calls(os::call::bind) == before);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(every_system_call_may_fail) {
    on_node backing(mmap_backing(), numa_node{0}, node_wish::required);
    (void)nodes();
    const auto points = test::fail_every_call([&] {
        auto made = backing.map({.bytes = 4096});
        if (!made)
            return false;
        if (backing.unmap(*made))
            return true;
        BOOST_TEST(backing.unmap(*made).has_value());
        return false;
    });
    BOOST_TEST(points.calls == 3u);
    BOOST_TEST(points.survived == 0u);
}

BOOST_AUTO_TEST_CASE(metadata_comes_from_its_node_too) {
    const numa_node node = nodes().back();
    mapped_metadata books(node);
    for (const std::size_t bytes : {std::size_t{100}, std::size_t{1} << 20}) {
        std::byte* const storage = books.take(bytes).value();
        storage[0] = std::byte{1};
        BOOST_TEST((detail::node_of(address_of(storage)).value() == node));
        books.give_back(storage, bytes);
    }
    BOOST_TEST(books.unbound_mappings() == 0u);
    os::fail_nth(os::call::bind, 1, EPERM);
    std::byte* const unbound = books.take(1 << 20).value();
    BOOST_TEST(books.unbound_mappings() == 1u);
    books.give_back(unbound, 1 << 20);
}

} // namespace
