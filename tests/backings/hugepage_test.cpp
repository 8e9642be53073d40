// SPDX-License-Identifier: MIT
// What hugepage promises beyond the conformance suite; its forks are in fork_test.cpp.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/hugepage.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/genalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <vector>

#include <sys/file.h>

#include "backends/os.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/huge_pages.hpp"
#include "support/in_child.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

constexpr std::uint64_t huge = std::uint64_t{2} << 20;

/// Some 2 MiB pages, or the case is skipped.
void need_huge_pages(unsigned long pages) {
    if (test::huge_pages::left() < pages)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
}

void touch(range where) {
    for (std::uint64_t at = 0; at < where.bytes; at += 4096)
        *reinterpret_cast<volatile char*>(where.base + at) = 1;
}

BOOST_AUTO_TEST_CASE(programs_take_turns_at_the_number_of_huge_pages) {
    const std::string number = test::huge_pages::file("nr_hugepages");
    const test::huge_pages pages(0);
    const int other = test::in_child([&] { // as another program would
        const int file = ::open(number.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0)
            return 77;
        return ::flock(file, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    });
    if (other == 77)
        test::skip("this kernel has no 2 MiB pages");
    BOOST_TEST(other == EWOULDBLOCK);
}

BOOST_AUTO_TEST_CASE(exhausted_pages_lead_down_the_ladder) {
    const test::huge_pages pages(4);
    need_huge_pages(4);
    hugepage backing;
    std::vector<hugepage::region> regions;
    const unsigned long there = test::huge_pages::left();
    for (unsigned long i = 0; i != there + 2; ++i) {
        auto made = backing.map({.bytes = huge}).value();
        BOOST_TEST(((backing.rung(made) == page_rung::huge) == (i < there)), "region " << i);
        BOOST_TEST((backing.rung(made) >= page_rung::transparent));
        regions.push_back(made);
    }
    BOOST_TEST(test::huge_pages::left() == 0); // promised before they are touched
    for (const auto& region : regions)
        touch(backing.where(region)); // so nothing dies here
    for (auto& region : regions)
        BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(test::huge_pages::left() == there);
}

BOOST_AUTO_TEST_CASE(who_wants_no_lower_rung_gets_an_error) {
    const test::huge_pages pages(2);
    need_huge_pages(2);
    hugepage backing({.transparent = false, .base = false});
    BOOST_TEST(backing.page_bytes() == huge);
    const unsigned long there = test::huge_pages::left();
    auto all = backing.map({.bytes = there * huge - 1}).value();
    BOOST_TEST(backing.where(all).bytes == there * huge);
    test::check_fails(backing.map({.bytes = 1}), {errc::os_failure, ENOMEM});
    BOOST_TEST(backing.unmap(all).has_value());
    BOOST_TEST(test::huge_pages::left() == there);
}

BOOST_AUTO_TEST_CASE(alignment_beyond_the_page_takes_no_page_more) {
    const test::huge_pages pages(1);
    need_huge_pages(1);
    hugepage backing({.transparent = false, .base = false});
    const unsigned long there = test::huge_pages::left();
    auto region = backing.map({.bytes = there * huge, .alignment = std::uint64_t{1} << 30}).value();
    BOOST_TEST(backing.where(region).base % (std::uint64_t{1} << 30) == 0);
    BOOST_TEST((backing.rung(region) == page_rung::huge));
    BOOST_TEST(backing.unmap(region).has_value());
    const range window{std::uint64_t{1} << (sizeof(void*) == 8 ? 45 : 30), std::uint64_t{1} << 30};
    auto inside = backing.map({.bytes = huge, .within = window}).value();
    BOOST_TEST(window.contains(backing.where(inside)));
    BOOST_TEST(backing.unmap(inside).has_value());
}

BOOST_AUTO_TEST_CASE(gigantic_pages_are_tried_for_what_is_a_multiple) {
    hugepage backing;
    const std::uint64_t before = os::calls(os::call::map);
    auto region = backing.map({.bytes = std::uint64_t{1} << 30}).value();
    // gigantic, huge, transparent or base: as far as it had to go
    const page_rung reached = backing.rung(region);
    BOOST_TEST(os::calls(os::call::map) - before >= (reached == page_rung::gigantic ? 1U
                                                     : reached == page_rung::huge   ? 2U
                                                                                    : 3U));
    BOOST_TEST_MESSAGE("1 GiB came as " << to_string(backing.rung(region)));
    BOOST_TEST(backing.unmap(region).has_value());
    auto odd = backing.map({.bytes = huge + 4096}).value();
    BOOST_TEST((backing.rung(odd) <= page_rung::transparent));
    BOOST_TEST(backing.unmap(odd).has_value());
}

BOOST_AUTO_TEST_CASE(gigantic_pages_are_taken_where_there_are_some) {
    constexpr std::uint64_t gigantic = std::uint64_t{1} << 30;
    const test::gigantic_pages pages(1);
    const unsigned long there = test::gigantic_pages::left();
    if (there == 0)
        test::skip("no 1 GiB page: not root, too little memory, or a processor without");
    hugepage backing({.transparent = false, .base = false});
    auto region = backing.map({.bytes = gigantic}).value();
    const range where = backing.where(region);
    BOOST_TEST((backing.rung(region) == page_rung::gigantic));
    BOOST_TEST(backing.page_bytes(region) == gigantic);
    BOOST_TEST((where.base % gigantic == 0 && where.bytes == gigantic));
    BOOST_TEST(test::gigantic_pages::left() == there - 1); // promised before it is touched
    *reinterpret_cast<volatile char*>(where.base + gigantic - 1) = 1;
    BOOST_TEST(backing.discard(region, {where.base, gigantic - 1}).has_value()); // no whole page
    BOOST_TEST(*reinterpret_cast<volatile char*>(where.base + gigantic - 1) == 1);
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(test::gigantic_pages::left() == there);
}

BOOST_AUTO_TEST_CASE(each_rung_is_optional) {
    const auto rung_of = [](hugepage_options options, std::uint64_t bytes) {
        hugepage backing(options);
        auto region = backing.map({.bytes = bytes}).value();
        const page_rung reached = backing.rung(region);
        BOOST_TEST(backing.unmap(region).has_value());
        return reached;
    };
    BOOST_TEST((rung_of({.transparent = false}, 3 * 4096) == page_rung::base));
    BOOST_TEST((rung_of({.gigantic = false, .huge = false, .transparent = false}, huge) ==
                page_rung::base));
    BOOST_TEST((rung_of({.in_child = fork_treatment::copied}, huge) <= page_rung::transparent));
    test::check_fails(hugepage({false, false, false, false}).map({.bytes = 1}),
                      {errc::bad_argument});
    test::check_fails(hugepage({.in_child = fork_treatment::shared}).map({.bytes = 1}),
                      {errc::not_supported});
    test::check_fails(
        hugepage({.transparent = false, .base = false, .in_child = fork_treatment::wiped})
            .map({.bytes = huge}),
        {errc::not_supported});
}

BOOST_AUTO_TEST_CASE(transparent_pages_are_large) {
    hugepage backing({.gigantic = false, .huge = false});
    auto region = backing.map({.bytes = 4 * huge}).value();
    if (backing.rung(region) != page_rung::transparent) {
        BOOST_TEST(backing.unmap(region).has_value());
        test::skip("this system gives no transparent huge pages");
    }
    const range where = backing.where(region);
    BOOST_TEST(where.base % huge == 0);
    BOOST_TEST(test::mapping_flags(where.base).find(" hg ") != std::string::npos);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(a_rung_that_fails_leads_to_the_next) {
    const test::huge_pages pages(2);
    for (const bool is_aligned : {false, true}) {
        hugepage backing;
        const map_request wanted{.bytes = 2 * huge, .alignment = is_aligned ? 8 * huge : 1};
        auto first = backing.map(wanted).value();
        page_rung reached = backing.rung(first);
        BOOST_TEST(backing.unmap(first).has_value());
        BOOST_TEST((reached >= page_rung::transparent || reached == page_rung::base));
        // One rung after the other is refused, each by a failure of its own.
        if (reached == page_rung::huge) {
            const std::uint64_t files = os::calls(os::call::open);
            os::fail_nth(os::call::map, is_aligned ? 2 : 1, ENOMEM);
            auto second = backing.map(wanted).value();
            reached = backing.rung(second);
            BOOST_TEST((reached <= page_rung::transparent));
            BOOST_TEST(os::calls(os::call::open) > files); // it asked for transparent ones
            BOOST_TEST(backing.unmap(second).has_value());
        }
    }
    hugepage lower({.gigantic = false, .huge = false, .in_child = fork_treatment::copied});
    auto large = lower.map({.bytes = 2 * huge}).value();
    const page_rung best = lower.rung(large);
    BOOST_TEST(lower.unmap(large).has_value());
    if (best != page_rung::transparent)
        test::skip("this system gives no transparent huge pages");
    const std::uint64_t mapped = test::mapped_pages();
    const auto reaches_base = [&](os::call kind, int why) {
        os::fail_nth(kind, 1, why);
        auto made = lower.map({.bytes = 2 * huge}).value();
        BOOST_TEST((lower.rung(made) == page_rung::base));
        BOOST_TEST(test::mapped_pages() == mapped + 2 * huge / 4096); // and no more than that
        touch(lower.where(made));
        BOOST_TEST(lower.unmap(made).has_value());
    };
    reaches_base(os::call::map, ENOMEM);
    reaches_base(os::call::advise, EINVAL);  // a kernel without them
    reaches_base(os::call::process, EINVAL); // which cannot say whether they are allowed
    reaches_base(os::call::open, EMFILE);
    reaches_base(os::call::read, EIO);
}

BOOST_AUTO_TEST_CASE(huge_pages_are_given_back_whole) {
    const test::huge_pages pages(2);
    need_huge_pages(2);
    hugepage backing;
    auto region = backing.map({.bytes = 2 * huge}).value();
    const range where = backing.where(region);
    touch(where);
    const unsigned long before = test::huge_pages::left();
    BOOST_TEST(backing.discard(region, {where.base, huge - 1}).has_value()); // no whole page
    BOOST_TEST(*reinterpret_cast<char*>(where.base) == 1);
    const auto given = backing.discard(region, {where.base, huge + 4096});
    BOOST_TEST(given.has_value());
    BOOST_TEST(*reinterpret_cast<char*>(where.base + huge) == 1);
    BOOST_TEST(*reinterpret_cast<char*>(where.base) == 0);
    BOOST_TEST(test::huge_pages::left() == before); // the page is promised to the region still
    BOOST_TEST(backing.unmap(region).has_value());
}

/// Whether this process may see physical addresses; the case is skipped otherwise.
void need_physical_addresses(hugepage& backing, hugepage::region& region) {
    const auto seen = backing.physical(region, backing.where(region).base);
    if (seen)
        return;
    BOOST_TEST(seen.error().code == errc::not_supported);
    BOOST_TEST(backing.unmap(region).has_value());
    test::skip("the kernel hides physical addresses from this process");
}

BOOST_AUTO_TEST_CASE(physical_addresses_are_one_piece_in_a_huge_page) {
    const test::huge_pages pages(1);
    need_huge_pages(1);
    hugepage backing({.transparent = false, .base = false});
    auto region = backing.map({.bytes = huge}).value();
    need_physical_addresses(backing, region);
    const address base = backing.where(region).base;
    const address physical = backing.physical(region, base).value();
    BOOST_TEST(physical % huge == 0);
    for (const std::uint64_t at : {std::uint64_t{1}, std::uint64_t{4096}, huge - 1})
        BOOST_TEST(backing.physical(region, base + at).value() == physical + at);
    test::check_fails(backing.physical(region, base + huge), {errc::not_ours});
    {
        basic_genalloc<atomic, true> pool({.order = 6});
        BOOST_TEST(pool.add_virt(base, physical, huge).has_value());
        const auto block = pool.dma_alloc(4096).value();
        BOOST_TEST(block.physical == backing.physical(region, block.where).value());
        BOOST_TEST(pool.virt_to_phys(block.where).value() == block.physical);
        BOOST_TEST(pool.free(block.where, 4096).has_value());
    }
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(who_may_not_see_physical_addresses_is_told_so) {
    const int end = test::in_child([] {
        hugepage backing({.gigantic = false, .huge = false});
        auto region = backing.map({.bytes = 4096});
        if (!region)
            return 1;
        if (::getuid() == 0 && ::setuid(65534) != 0)
            return 77;
        const auto seen = backing.physical(*region, backing.where(*region).base);
        return !seen && seen.error().code == errc::not_supported ? 0 : 2;
    });
    if (end == 77)
        test::skip("this process may not become another user");
    BOOST_TEST(end == 0);
}

BOOST_AUTO_TEST_CASE(every_system_call_may_fail) {
    const test::huge_pages pages(2);
    for (const hugepage_options& options :
         {hugepage_options{.populate = true},
          hugepage_options{.populate = true, .in_child = fork_treatment::wiped},
          hugepage_options{.gigantic = false, .huge = false, .transparent = false}}) {
        hugepage backing(options);
        auto warm = backing.map({.bytes = 1}).value(); // a page that the process keeps
        const bool may_see = backing.physical(warm, backing.where(warm).base).has_value();
        BOOST_TEST(backing.unmap(warm).has_value());
        const unsigned long there = test::huge_pages::left();
        const auto points = test::fail_every_call([&] {
            // More than large pages have by themselves: a place is found first, and given up.
            auto made = backing.map({.bytes = 2 * huge, .alignment = 8 * huge});
            if (!made) {
                BOOST_TEST(made.error().os_code == ENOTRECOVERABLE);
                return false;
            }
            const range where = backing.where(*made);
            BOOST_TEST(where.base % (8 * huge) == 0);
            BOOST_TEST(
                backing.page_bytes(*made) ==
                (backing.rung(*made) == page_rung::huge ? std::size_t{huge} : os::page_bytes()));
            *reinterpret_cast<volatile char*>(where.base) = 7;
            bool all = backing.physical(*made, where.base).has_value() || !may_see;
            if (!backing.discard(*made, where)) {
                all = false;
                BOOST_TEST(*reinterpret_cast<volatile char*>(where.base) == 7);
            }
            if (!backing.protect(*made, where, permissions::read)) {
                all = false;
                *reinterpret_cast<volatile char*>(where.base) = 8;
            }
            if (!backing.unmap(*made)) {
                all = false;
                BOOST_TEST(backing.unmap(*made).has_value());
            }
            return all;
        });
        BOOST_TEST(points.calls >= 8);
        BOOST_TEST(test::huge_pages::left() == there);
    }
}

} // namespace
