// SPDX-License-Identifier: MIT
// The page that tells a child from its parent is made at the first need of it: what happens where
// that fails. One case, as each process has one first time.
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/backings/secret.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "backends/fork.hpp"
#include "backends/os.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/open_files.hpp"

using namespace palloc;

namespace {

/// A map whose call of that kind fails, while the page is made.
template <class Backing>
void check_refused(Backing backing, os::call kind) {
    const std::uint64_t pages = test::mapped_pages();
    const std::size_t files = test::open_files();
    os::fail_nth(kind, 1, ENOTRECOVERABLE);
    test::check_fails(backing.map({.bytes = 4096}), {errc::os_failure, ENOTRECOVERABLE});
    BOOST_TEST(test::mapped_pages() == pages);
    BOOST_TEST(test::open_files() == files);
    BOOST_TEST(os::generation_page() == nullptr);
}

} // namespace

BOOST_AUTO_TEST_CASE(the_first_calls_of_a_process_may_fail) {
    constexpr auto absent = fork_treatment::absent;
    BOOST_TEST_REQUIRE(os::generation_page() == nullptr);
    for (const os::call kind : {os::call::map, os::call::advise}) {
        check_refused(mmap_backing({.in_child = absent}), kind);
        check_refused(reserve({.in_child = absent}), kind);
        check_refused(hugepage(), kind);
        check_refused(memfd(), kind);
        check_refused(secret(), kind);
    }
    mmap_backing backing({.in_child = absent});
    auto region = backing.map({.bytes = 4096}).value(); // none of it was lasting
    BOOST_TEST(os::generation_page() != nullptr);
    BOOST_TEST(backing.unmap(region).has_value());
}
