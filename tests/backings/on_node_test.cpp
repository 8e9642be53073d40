// SPDX-License-Identifier: MIT
// on_node on whatever nodes there are, and by failing the call for the rest.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/limited.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/on_node.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/genalloc.hpp>
#include <palloc/genalloc/managed.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/metadata/mapped_metadata.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <linux/mempolicy.h>

#include "backends/os.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/huge_pages.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

static_assert(backing_can_seal<on_node<memfd>> && !backing_can_seal<on_node<mmap_backing>>);
static_assert(backing_states_fork_treatment<on_node<mmap_backing>>);
static_assert(backing_can_discard<on_node<mmap_backing>>);
static_assert(backing_tells_page_sizes<on_node<hugepage>> &&
              !backing_tells_page_sizes<on_node<mmap_backing>>);
static_assert(backing_can_keep_mappings<on_node<reserve>> &&
              !backing_can_keep_mappings<on_node<hugepage>>);

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

BOOST_AUTO_TEST_CASE(what_was_decommitted_comes_from_the_node_again) {
    const numa_node node = nodes().back();
    const auto check = [&](auto backing, int mode) {
        auto region = backing.map({.bytes = 4 * 4096, .node = node}).value();
        const range middle{backing.where(region).base + 4096, 2 * 4096};
        const auto told = [&](address at) { return os::policy({}, at, MPOL_F_ADDR).value(); };
        BOOST_TEST(told(middle.base) == mode);
        BOOST_TEST(backing.commit(region, middle).has_value());
        *reinterpret_cast<volatile char*>(middle.base) = 1;
        BOOST_TEST(backing.decommit(region, middle).has_value());
        BOOST_TEST(told(middle.base) == mode);
        BOOST_TEST(backing.commit(region, middle).has_value());
        BOOST_TEST(*reinterpret_cast<volatile char*>(middle.base) == 0);
        *reinterpret_cast<volatile char*>(middle.base) = 1;
        BOOST_TEST(told(middle.base + 4096) == mode);
        BOOST_TEST((backing.node_of(region, middle.base).value() == node));
        BOOST_TEST(backing.unmap(region).has_value());
    };
    check(on_node(reserve(), any_node), MPOL_PREFERRED);
    check(on_node(reserve(), any_node, node_wish::required), MPOL_BIND);
    check(on_node(reserve({.in_child = fork_treatment::wiped}), any_node), MPOL_PREFERRED);
    check(on_node(limited(reserve(), 1 << 20), any_node), MPOL_PREFERRED);
}

BOOST_AUTO_TEST_CASE(large_pages_of_a_required_node_are_there_or_refused) {
    const numa_node node = nodes().back();
    constexpr std::uint64_t huge = std::uint64_t{2} << 20;
    const test::huge_pages pages(2);
    const unsigned long there = test::huge_pages::left();
    if (there < 2)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
    const hugepage inner({.gigantic = false, .transparent = false, .base = false});
    const auto in_memory = [](address at) {
        unsigned char page = 0;
        BOOST_TEST_REQUIRE(os::residency({at, 4096}, {&page, 1}).has_value());
        return (page & 1) != 0;
    };
    on_node preferred(inner, node);
    auto region = preferred.map({.bytes = 2 * huge}).value();
    BOOST_TEST(!in_memory(preferred.where(region).base + huge));
    BOOST_TEST(preferred.discard(region, preferred.where(region)).has_value());
    BOOST_TEST(preferred.unmap(region).has_value());

    on_node strict(inner, node, node_wish::required);
    region = strict.map({.bytes = 2 * huge}).value();
    BOOST_TEST(
        (in_memory(strict.where(region).base) && in_memory(strict.where(region).base + huge)));
    BOOST_TEST((strict.node_of(region, strict.where(region).base + huge).value() == node));
    test::check_fails(strict.discard(region, strict.where(region)), {errc::not_supported});
    BOOST_TEST(strict.unmap(region).has_value());

    // What the kernel answers where other nodes only have pages left. The first advice is about
    // children.
    os::fail_nth(os::call::advise, 2, EFAULT);
    test::check_fails(strict.map({.bytes = 2 * huge}), {errc::os_failure, EFAULT});
    BOOST_TEST(test::huge_pages::left() == there);
    BOOST_TEST(strict.bound_regions() == 1u);
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

/// Every call of mapping, touching what is said to be usable, and unmapping. Answers how often a
/// region came unbound.
template <class Backing>
std::uint64_t fail_every_call_of(Backing inner, node_wish wish, std::uint64_t bytes) {
    (void)nodes();
    on_node backing(std::move(inner), numa_node{0}, wish);
    std::uint64_t spoilt = 0; // regions that came although something failed, and were not told
    const auto points = test::fail_every_call([&] {
        const std::uint32_t unbound = backing.unbound_regions();
        const std::uint32_t bound = backing.bound_regions();
        auto made = backing.map({.bytes = bytes});
        if (!made) {
            BOOST_TEST((backing.unbound_regions() == unbound && backing.bound_regions() == bound));
            return false;
        }
        const range where = backing.where(*made);
        BOOST_TEST(backing.unbound_regions() + backing.bound_regions() == unbound + bound + 1);
        bool all = true;
        const auto twice = [&](auto&& step) {
            if (!step().has_value()) {
                all = false;
                BOOST_TEST(step().has_value());
            }
        };
        if constexpr (backing_can_commit<Backing>)
            twice([&] { return backing.commit(*made, where); });
        *reinterpret_cast<volatile char*>(where.base) = 'n';
        twice([&] {
            const auto seen = backing.node_of(*made, where.base);
            spoilt += seen && *seen != numa_node{0} ? 1U : 0U;
            return seen;
        });
        BOOST_TEST(*reinterpret_cast<volatile char*>(where.base) == 'n');
        if constexpr (backing_can_commit<Backing>)
            twice([&] { return backing.decommit(*made, where); });
        twice([&] { return backing.unmap(*made); });
        return all;
    });
    BOOST_TEST(points.calls >= 4u);
    BOOST_TEST(spoilt == 0u);
    return backing.unbound_regions();
}

BOOST_AUTO_TEST_CASE(every_system_call_may_fail) {
    using enum node_wish;
    for (const node_wish wish : {required, preferred}) {
        // The one call that binds: an error, or a region that comes without and is counted.
        const std::uint64_t refused = wish == preferred ? 1 : 0;
        BOOST_TEST(fail_every_call_of(mmap_backing(), wish, 4096) == refused);
        BOOST_TEST(fail_every_call_of(reserve(), wish, 4096) == refused);
        BOOST_TEST(fail_every_call_of(memfd(), wish, 4096) == refused);
        BOOST_TEST(fail_every_call_of(hugepage({.gigantic = false, .huge = false}), wish,
                                      std::uint64_t{2} << 20) == refused);
    }
}

BOOST_AUTO_TEST_CASE(every_system_call_for_large_pages_may_fail) {
    const test::huge_pages pages(2);
    if (test::huge_pages::left() < 2)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
    const hugepage large({.gigantic = false, .transparent = false, .base = false});
    const unsigned long there = test::huge_pages::left();
    BOOST_TEST(fail_every_call_of(large, node_wish::required, std::uint64_t{2} << 20) == 0u);
    BOOST_TEST(test::huge_pages::left() == there);
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

// Which memory a page gets is the policy's affair: on a machine with one node all comes from there.
int policy_at(const void* place) {
    return os::policy({}, address_of(place), MPOL_F_ADDR).value();
}

template <class Genalloc>
void check_books(const Genalloc& pool, int policy) {
    std::size_t chunks = 0;
    pool.for_each_chunk([&](const auto& chunk) {
        ++chunks;
        BOOST_TEST(policy_at(&chunk) == policy);
        BOOST_TEST(policy_at(chunk.storage) == policy);
    });
    BOOST_TEST(chunks == 2u);
}

void lend_two_chunks(genalloc& pool) {
    BOOST_TEST(pool.add(0x10000, 4096).has_value());
    BOOST_TEST(pool.add(0x10000000, 64 << 20).has_value()); // a bitmap that is a mapping of its own
}

BOOST_AUTO_TEST_CASE(the_books_of_a_genalloc_come_from_its_node) {
    const numa_node node = nodes().back();
    genalloc pool({.order = 5, .node = node});
    lend_two_chunks(pool);
    check_books(pool, MPOL_PREFERRED);
    const auto block = pool.alloc(100).value();
    pool.for_each_chunk([&](const auto& chunk) {
        BOOST_TEST((detail::node_of(address_of(&chunk)).value() == node));
    });
    BOOST_TEST(pool.free(block, 100).has_value());
    BOOST_TEST(default_metadata(node).unbound_mappings() == 0u);

    auto managed = managed_genalloc::create(&pool, "listed", {.node = node}).value();
    BOOST_TEST(policy_at(&*managed) == MPOL_PREFERRED); // as the kernel's pool itself
}

BOOST_AUTO_TEST_CASE(the_books_of_a_genalloc_without_a_node_are_bound_to_none) {
    (void)nodes();
    genalloc pool({.order = 5});
    lend_two_chunks(pool);
    check_books(pool, MPOL_DEFAULT);
}

BOOST_AUTO_TEST_CASE(metadata_of_a_genalloc_s_own_stays_whatever_the_node) {
    const numa_node node = nodes().back();
    mapped_metadata own;
    genalloc pool({.order = 5, .node = node, .metadata = metadata_ref(own)});
    lend_two_chunks(pool);
    check_books(pool, MPOL_DEFAULT);
}

BOOST_AUTO_TEST_CASE(every_node_has_one_standard_provider) {
    BOOST_TEST(&default_metadata(any_node) == &default_metadata());
    BOOST_TEST(&default_metadata(numa_node{numa_node::limit}) == &default_metadata());
    mapped_metadata& of_last = default_metadata(numa_node{numa_node::limit - 1});
    BOOST_TEST(&of_last != &default_metadata());
    BOOST_TEST(&of_last == &default_metadata(numa_node{numa_node::limit - 1}));
    BOOST_TEST(&of_last != &default_metadata(numa_node{0}));
}

} // namespace
