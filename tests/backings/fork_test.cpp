// SPDX-License-Identifier: MIT
// What a child of fork finds of each backing's memory; forks at random moments are in
// fork_moments_test.cpp.
#include <palloc/backings/either.hpp>
#include <palloc/backings/failing.hpp>
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/limited.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/on_node.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/backings/secret.hpp>
#include <palloc/core/fork_treatment.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <unistd.h>

#include <sys/mman.h>

#include "models/backings.hpp"
#include "support/backing_checks.hpp"
#include "support/fork_checks.hpp"
#include "support/huge_pages.hpp"
#include "support/in_child.hpp"
#include "support/page_probe.hpp"
#include "support/skip.hpp"

using namespace palloc;
using test::byte_at;
using test::expected_in_child;
using test::found_in_child;
using test::said_of;
using test::usable_region;

namespace {

template <class Backing>
void check_treatment(Backing backing, std::uint64_t bytes = 4096) {
    auto region = usable_region(backing, bytes);
    const fork_treatment said = said_of(backing, region);
    const range where = backing.where(region);
    byte_at(where.base) = 'p';
    const int child = test::in_child([&] { return found_in_child(where); });
    const char after = byte_at(where.base);
    BOOST_TEST_CONTEXT(said) {
        BOOST_TEST(child == expected_in_child(said));
        BOOST_TEST(after == (said == fork_treatment::shared ? 'c' : 'p'));
    }
    // A child may give up what it has, and leaves what others mapped there meanwhile alone.
    BOOST_TEST(
        test::in_child([&] {
            const test::page_probe probe;
            const bool absent = !probe.readable(where.base);
            if (absent &&
                ::mmap(reinterpret_cast<void*>(where.base), static_cast<std::size_t>(where.bytes),
                       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                       -1, 0) == MAP_FAILED)
                return 1;
            if constexpr (backing_can_change_permissions<Backing>)
                if (absent && backing.protect(region, where, permissions::none))
                    return 2;
            if constexpr (backing_can_discard<Backing>)
                if (absent && backing.discard(region, where))
                    return 3;
            if constexpr (backing_can_commit<Backing>)
                if (absent && (backing.commit(region, where) || backing.decommit(region, where)))
                    return 4;
            if (!backing.unmap(region) || backing.where(region).bytes != 0)
                return 5;
            return probe.writable(where.base) == absent ? 0 : 6;
        }) == 0);
    BOOST_TEST(byte_at(where.base) == after);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(each_backing_does_what_it_says) {
    using enum fork_treatment;
    for (const auto child : {copied, absent, wiped}) {
        check_treatment(mmap_backing({.in_child = child}));
        check_treatment(reserve({.in_child = child}));
        check_treatment(hugepage({.in_child = child}));
        check_treatment(on_node(mmap_backing({.in_child = child}), numa_node{0}));
        check_treatment(limited(mmap_backing({.in_child = child}), std::uint64_t{1} << 20));
        fault_script script;
        check_treatment(failing(mmap_backing({.in_child = child}), script));
    }
    for (const auto child : {read_only, absent, shared}) {
        check_treatment(memfd({.in_child = child}));
        for (const bool first : {true, false}) {
            either backing(memfd({.in_child = child}), mmap_backing({.in_child = wiped}));
            backing.prefer_first(first);
            check_treatment(backing);
        }
    }
}

BOOST_AUTO_TEST_CASE(secrets_stay_with_the_parent_unless_they_are_shared) {
    const test::rig<secret> needed; // or the case is skipped
    check_treatment(secret());
    check_treatment(secret({.in_child = fork_treatment::shared}));
}

BOOST_AUTO_TEST_CASE(a_decommitted_page_is_treated_as_before) {
    for (const auto child : {fork_treatment::absent, fork_treatment::wiped}) {
        reserve backing({.in_child = child});
        auto region = usable_region(backing, 3 * 4096);
        const range where = backing.where(region);
        BOOST_TEST(backing.decommit(region, where).has_value());
        BOOST_TEST(backing.commit(region, where).has_value());
        byte_at(where.base + 4096) = 'p';
        BOOST_TEST(test::in_child([&] {
                       return child == fork_treatment::absent
                                  ? !test::page_probe().readable(where.base + 4096)
                                  : byte_at(where.base + 4096) == 0;
                   }) == 0);
        BOOST_TEST(backing.unmap(region).has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_child_reads_what_is_sealed_and_never_has_an_alias) {
    memfd backing;
    auto region = backing.map({.bytes = 4096}).value();
    const range where = backing.where(region);
    byte_at(where.base) = 'p';
    BOOST_TEST(backing.replace_view(region, permissions::read).has_value());
    const address alias = backing.open_alias(region).value();
    BOOST_TEST(
        test::in_child([&] {
            const test::page_probe probe;
            if (probe.readable(alias) || probe.writable(where.base) || byte_at(where.base) != 'p')
                return 1;
            // nor can it make one, or undo anything
            if (backing.open_alias(region) || backing.close_alias(region) || backing.seal(region) ||
                backing.replace_view(region, permissions::read_write))
                return 2;
            return backing.unmap(region) && !probe.readable(where.base) ? 0 : 3;
        }) == 0);
    byte_at(alias) = 'q';
    BOOST_TEST(backing.close_alias(region).has_value());
    BOOST_TEST(backing.seal(region).has_value()); // the child's file and views are gone
    BOOST_TEST(test::in_child([&] { return byte_at(where.base) == 'q'; }) == 0);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(explicit_huge_pages_are_absent) {
    const test::huge_pages pages(4);
    if (test::huge_pages::left() < 4)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
    check_treatment(hugepage({.gigantic = false, .transparent = false, .base = false}),
                    std::uint64_t{2} << 20);
}

} // namespace
