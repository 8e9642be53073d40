// SPDX-License-Identifier: MIT
// Regions of memfd that grow, shrink and move.
#include <palloc/backings/memfd.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <sys/mman.h>
#include <sys/resource.h>

#include "backends/os.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/in_child.hpp"
#include "support/page_probe.hpp"

namespace {

using namespace palloc;

char* bytes_at(address at) {
    return reinterpret_cast<char*>(at);
}

BOOST_AUTO_TEST_CASE(a_region_grows_where_it_is_or_elsewhere_with_its_contents) {
    memfd backing;
    auto room = os::map(0, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS).value();
    BOOST_TEST(os::unmap({room, 16 * 4096}).has_value());
    auto region = backing.map({.bytes = 2 * 4096, .within = {room, 16 * 4096}}).value();
    const address base = backing.where(region).base;
    std::strcpy(bytes_at(base + 4096), "kept");
    BOOST_TEST(backing.resize(region, 3 * 4096 + 1, false).has_value());
    BOOST_TEST(backing.where(region) == (range{base, 4 * 4096}));
    bytes_at(base)[4 * 4096 - 1] = 'l'; // beyond the end of the file this would kill
    BOOST_TEST(bytes_at(base)[2 * 4096] == 0);

    auto neighbour =
        backing.map({.bytes = 4096, .within = {base + 4 * 4096, 4096}}).value(); // in its way
    test::check_fails(backing.resize(region, 5 * 4096, false), {errc::no_room});
    BOOST_TEST(backing.where(region) == (range{base, 4 * 4096}));
    BOOST_TEST(backing.resize(region, 64 * 4096, true).has_value());
    const range moved = backing.where(region);
    BOOST_TEST(moved.bytes == 64u * 4096);
    BOOST_TEST(moved.base != base);
    BOOST_TEST((!range{room, 16 * 4096}.contains(moved))); // nothing keeps it where it was mapped
    BOOST_TEST(std::strcmp(bytes_at(moved.base + 4096), "kept") == 0);
    BOOST_TEST(bytes_at(moved.base)[4 * 4096 - 1] == 'l');

    const address alias = backing.open_alias(region).value(); // all of what it is now
    bytes_at(alias)[moved.bytes - 1] = 'a';
    BOOST_TEST(bytes_at(moved.base)[moved.bytes - 1] == 'a');
    test::check_fails(backing.resize(region, 1, true), {errc::bad_argument});
    BOOST_TEST(backing.close_alias(region).has_value());

    const test::page_probe probe;
    BOOST_TEST(backing.resize(region, 2 * 4096, false).has_value());
    BOOST_TEST(backing.where(region) == (range{moved.base, 2 * 4096}));
    BOOST_TEST(!probe.readable(moved.base + 2 * 4096));
    BOOST_TEST(backing.resize(region, 3 * 4096, true).has_value());
    BOOST_TEST(bytes_at(backing.where(region).base)[2 * 4096] == 0); // not what had been there
    BOOST_TEST(std::strcmp(bytes_at(backing.where(region).base + 4096), "kept") == 0);
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(backing.unmap(neighbour).has_value());
}

BOOST_AUTO_TEST_CASE(what_may_not_be_resized_stays_as_it_is) {
    memfd backing;
    auto region = backing.map({.bytes = 2 * 4096}).value();
    const range where = backing.where(region);
    test::check_fails(backing.resize(region, 0, true), {errc::zero_size});
    test::check_fails(backing.resize(region, ~std::uint64_t{0}, true), {errc::too_large});
    test::check_fails(backing.resize(region, std::uint64_t{1} << 60, true),
                      {errc::os_failure, EINVAL});
    BOOST_TEST(backing.resize(region, 4097, false).has_value()); // as many pages as it has
    BOOST_TEST(backing.replace_view(region, {where.base, 4096}, permissions::read).has_value());
    test::check_fails(backing.resize(region, 4 * 4096, true), {errc::os_failure, EFAULT});
    BOOST_TEST(backing.where(region) == where);
    bytes_at(where.base)[4096] = 'w';
    BOOST_TEST(backing.unmap(region).has_value());
    test::check_fails(backing.resize(region, 4096, true), {errc::bad_argument});

    auto closed = backing.map({.bytes = 2 * 4096}).value();
    BOOST_TEST(backing.forbid_other_writers(closed).has_value());
    test::check_fails(backing.resize(closed, 3 * 4096, true), {errc::os_failure, EPERM});
    test::check_fails(backing.resize(closed, 4096, true), {errc::os_failure, EPERM});
    bytes_at(backing.where(closed).base)[2 * 4096 - 1] = 't';
    BOOST_TEST(backing.unmap(closed).has_value());
    auto sealed = backing.map({.bytes = 4096}).value();
    BOOST_TEST(backing.replace_view(sealed, permissions::read).has_value());
    BOOST_TEST(backing.seal(sealed).has_value());
    test::check_fails(backing.resize(sealed, 8192, true), {errc::os_failure, EPERM});
    BOOST_TEST(backing.unmap(sealed).has_value());
}

BOOST_AUTO_TEST_CASE(what_a_region_grew_by_is_no_childs_either) {
    memfd backing({.in_child = fork_treatment::absent});
    auto region = backing.map({.bytes = 4096}).value();
    BOOST_TEST(backing.resize(region, 64 * 4096, true).has_value());
    const address last = backing.where(region).base + 63 * 4096;
    bytes_at(last)[0] = 'p';
    BOOST_TEST(test::in_child([&] {
                   const test::page_probe probe;
                   return probe.readable(last) || backing.resize(region, 4096, true) ? 1 : 0;
               }) == 0);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_shortened_keeps_its_tail_under_a_lower_limit) {
    BOOST_TEST(test::in_child([] {
                   memfd backing;
                   auto region = backing.map({.bytes = 8 * 4096});
                   if (!region)
                       return 1;
                   const range where = backing.where(*region);
                   bytes_at(where.base)[where.bytes - 1] = 't';
                   const rlimit lower{4 * 4096, 4 * 4096}; // to make it longer again would kill
                   if (::setrlimit(RLIMIT_FSIZE, &lower) != 0)
                       return 2;
                   for (const auto kind : {os::call::seals, os::call::remap, os::call::truncate}) {
                       os::fail_nth(kind, 1, ENOMEM);
                       if (backing.resize(*region, 2 * 4096, true))
                           return 3;
                       if (backing.where(*region) != where ||
                           bytes_at(where.base)[where.bytes - 1] != 't')
                           return 4;
                   }
                   if (!backing.resize(*region, 2 * 4096, true))
                       return 5;
                   return backing.unmap(*region) ? 0 : 6;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(every_system_call_of_a_resize_may_fail) {
    memfd backing;
    auto warm = backing.map({.bytes = 1}).value();
    BOOST_TEST(backing.unmap(warm).has_value());
    const auto points = test::fail_every_call([&] {
        auto made = backing.map({.bytes = 4096});
        if (!made)
            return false;
        std::strcpy(bytes_at(backing.where(*made).base), "stays");
        std::strcpy(bytes_at(backing.where(*made).base + 4000), "the tail");
        bool all = true;
        for (const std::uint64_t bytes : {16U * 4096, 2U * 4096}) {
            const range before = backing.where(*made);
            if (!backing.resize(*made, bytes, true)) {
                all = false;
                BOOST_TEST(backing.where(*made) == before);
                BOOST_TEST(std::strcmp(bytes_at(before.base + before.bytes - 96), "the tail") == 0);
                bytes_at(before.base)[before.bytes - 1] = 'e'; // the file reaches as far
                BOOST_TEST(backing.resize(*made, bytes, true).has_value());
            }
            BOOST_TEST(backing.where(*made).bytes == bytes);
            std::strcpy(bytes_at(backing.where(*made).base + bytes - 96), "the tail");
            BOOST_TEST(std::strcmp(bytes_at(backing.where(*made).base), "stays") == 0);
        }
        const bool is_closed = backing.forbid_other_writers(*made).has_value();
        BOOST_TEST((is_closed || backing.forbid_other_writers(*made)));
        all = all && is_closed;
        if (!backing.unmap(*made)) {
            all = false;
            BOOST_TEST(backing.unmap(*made).has_value());
        }
        return all;
    });
    BOOST_TEST(points.calls >= 14);
    BOOST_TEST(points.survived <= 2); // to close the file of a region that is gone, an old kernel
}

} // namespace
