// SPDX-License-Identifier: MIT
// What reserve promises beyond the conformance suite; its forks are in fork_test.cpp.
#include <palloc/backings/reserve.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>

#include "backends/os.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/in_child.hpp"
#include "support/page_probe.hpp"
#include "support/random.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

unsigned char* bytes_at(address at) {
    return reinterpret_cast<unsigned char*>(at);
}

BOOST_AUTO_TEST_CASE(addresses_cost_no_memory) {
    if (test::is_sanitized)
        test::skip("a sanitizer's memory is resident as well");
    constexpr std::uint64_t bytes = std::uint64_t{1} << (sizeof(void*) == 8 ? 40 : 30);
    reserve backing;
    const std::uint64_t resident = test::resident_pages();
    auto region = backing.map({.bytes = bytes}).value();
    const address base = backing.where(region).base;
    const test::page_probe probe;
    BOOST_TEST((!probe.readable(base) && !probe.readable(base + bytes / 2)));
    BOOST_TEST(test::resident_pages() <= resident + 16);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(a_page_that_is_given_up_in_part_stays) {
    reserve backing;
    const std::uint64_t page = backing.page_bytes();
    auto region = backing.map({.bytes = 4 * page}).value();
    const address base = backing.where(region).base;
    const test::page_probe probe;
    BOOST_TEST(backing.commit(region, {base + page - 1, 2}).has_value()); // touches two
    BOOST_TEST((probe.writable(base) && probe.writable(base + 2 * page - 1)));
    BOOST_TEST(!probe.readable(base + 2 * page));
    *bytes_at(base + page) = 7;
    BOOST_TEST(backing.decommit(region, {base + 1, 2 * page - 2}).has_value());
    BOOST_TEST((probe.readable(base) && *bytes_at(base + page) == 7));
    BOOST_TEST(backing.decommit(region, {base + 1, 2 * page - 1}).has_value());
    BOOST_TEST((probe.readable(base) && !probe.readable(base + page)));
    BOOST_TEST(backing.decommit(region, {base, 0}).has_value());
    BOOST_TEST(backing.unmap(region).has_value());
}

/// Random pages come, go and move; a model says what each holds.
void check_against_model(fork_treatment child) {
    constexpr std::size_t pages = 64;
    reserve backing({.in_child = child});
    const std::uint64_t page = backing.page_bytes();
    auto region = backing.map({.bytes = pages * page}).value();
    const address base = backing.where(region).base;
    constexpr int absent = -1;
    std::vector<int> model(pages, absent); // the first byte of each page
    const test::page_probe probe;
    test::random_source random;
    const auto part = [&](std::uint64_t first, std::uint64_t count) {
        return range{base + first * page, count * page};
    };
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step != 3000; ++step) {
            const std::size_t count = random.between(1, 8);
            const std::size_t first = random.below(pages - count + 1);
            const std::size_t second = random.below(pages - count + 1);
            const auto all_there = [&](std::size_t from) {
                for (std::size_t i = from; i != from + count; ++i)
                    if (model[i] == absent)
                        return false;
                return true;
            };
            if (random.chance(40)) {
                BOOST_TEST(backing.commit(region, part(first, count)).has_value());
                for (std::size_t i = first; i != first + count; ++i) {
                    if (model[i] == absent)
                        model[i] = 0;
                    if (random.chance(50))
                        *bytes_at(base + i * page) = static_cast<unsigned char>(
                            model[i] = static_cast<int>(random.below(256)));
                }
            } else if (random.chance(50)) {
                BOOST_TEST(backing.decommit(region, part(first, count)).has_value());
                std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(first), count, absent);
            } else if (all_there(first) && all_there(second) &&
                       !part(first, count).overlaps(part(second, count))) {
                BOOST_TEST(
                    backing.move_pages(region, part(first, count), region, part(second, count).base)
                        .has_value());
                for (std::size_t i = 0; i != count; ++i)
                    model[second + i] = std::exchange(model[first + i], absent);
            }
            if (step % 10 == 0)
                for (std::size_t i = 0; i != pages; ++i) {
                    const bool there = probe.readable(base + i * page);
                    BOOST_REQUIRE(there == (model[i] != absent));
                    if (there)
                        BOOST_REQUIRE(int{*bytes_at(base + i * page)} == model[i]);
                }
        }
    }
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(pages_come_go_and_move_as_in_a_model) {
    check_against_model(fork_treatment::copied);
    check_against_model(fork_treatment::absent);
}

BOOST_AUTO_TEST_CASE(pages_that_the_kernel_cannot_move_are_copied) {
    for (const int why : {EFAULT, EINVAL}) {
        reserve backing;
        const std::size_t page = backing.page_bytes();
        auto region = backing.map({.bytes = 8 * page}).value();
        const address base = backing.where(region).base;
        BOOST_TEST(backing.commit(region, {base, 2 * page}).has_value());
        std::memset(bytes_at(base), 0x5a, 2 * page);
        os::fail_nth(os::call::remap, 1, why);
        BOOST_TEST(
            backing.move_pages(region, {base, 2 * page}, region, base + 4 * page).has_value());
        BOOST_TEST((*bytes_at(base + 4 * page) == 0x5a && *bytes_at(base + 6 * page - 1) == 0x5a));
        BOOST_TEST(!test::page_probe().readable(base));
        BOOST_TEST(backing.unmap(region).has_value());
    }
}

BOOST_AUTO_TEST_CASE(parts_that_are_no_pages_do_not_move) {
    reserve backing;
    const std::uint64_t page = backing.page_bytes();
    auto region = backing.map({.bytes = 8 * page}).value();
    const range where = backing.where(region);
    BOOST_TEST(backing.commit(region, where).has_value());
    for (const auto& [part, place] : {std::pair{range{where.base + 1, page}, where.base + 4 * page},
                                      std::pair{range{where.base, page - 1}, where.base + 4 * page},
                                      std::pair{range{where.base, page}, where.base + 4 * page + 1},
                                      std::pair{range{where.base, 2 * page}, where.base + page}})
        test::check_fails(backing.move_pages(region, part, region, place), {errc::bad_argument});
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(no_such_treatment_or_node) {
    for (const auto no_such : {fork_treatment::shared, fork_treatment::read_only})
        test::check_fails(reserve({.in_child = no_such}).map({.bytes = 1}), {errc::not_supported});
    reserve backing;
    test::check_fails(backing.map({.bytes = 1, .node = numa_node{0}}), {errc::not_supported});
}

BOOST_AUTO_TEST_CASE(every_system_call_may_fail) {
    for (const auto child :
         {fork_treatment::copied, fork_treatment::absent, fork_treatment::wiped}) {
        reserve backing({.in_child = child});
        if (child == fork_treatment::absent) { // a page that the process keeps
            auto warm = backing.map({.bytes = 1}).value();
            BOOST_TEST(backing.unmap(warm).has_value());
        }
        const auto points = test::fail_every_call([&] {
            auto made = backing.map({.bytes = 8 * 4096, .alignment = 1 << 16});
            if (!made)
                return false;
            const range where = backing.where(*made);
            const range part{where.base, 2 * 4096};
            const address place = where.base + 4 * 4096;
            bool all = true;
            const auto twice = [&](auto&& step) {
                if (!step().has_value()) {
                    all = false;
                    BOOST_TEST(step().has_value());
                }
            };
            twice([&] { return backing.commit(*made, where); });
            *bytes_at(part.base) = 7;
            twice([&] { return backing.move_pages(*made, part, *made, place); });
            BOOST_TEST(int{*bytes_at(place)} == 7);
            const auto gone = backing.decommit(*made, {place, 4096});
            all = all && gone.has_value();
            if (!gone) {
                BOOST_TEST_REQUIRE(test::page_probe().readable(place));
                BOOST_TEST(int{*bytes_at(place)} == 7);
                *bytes_at(place) = 8; // it is as usable as it was
                BOOST_TEST(backing.decommit(*made, {place, 4096}).has_value());
            }
            BOOST_TEST(!test::page_probe().readable(place));
            if (!backing.unmap(*made).has_value()) {
                all = false;
                BOOST_TEST(backing.where(*made) == where);
                BOOST_TEST(backing.unmap(*made).has_value());
            }
            return all;
        });
        BOOST_TEST(points.calls >= 7);    // one less where the place happened to be aligned
        BOOST_TEST(points.survived <= 2); // to give up what has moved
    }
}

} // namespace
