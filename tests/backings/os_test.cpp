// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstdint>

#include <sys/mman.h>

#include "backends/os.hpp"
#include "support/backing_checks.hpp"
#include "support/page_probe.hpp"

namespace {

using namespace palloc;
using os::call;

constexpr int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

BOOST_AUTO_TEST_CASE(calls_reach_the_system) {
    const test::page_probe probe;
    const std::uint64_t page = os::page_bytes();
    const auto base = os::map(0, 2 * page, PROT_READ | PROT_WRITE, anonymous);
    BOOST_TEST_REQUIRE(base.has_value());
    BOOST_TEST(probe.writable(*base));
    BOOST_TEST(os::protect({*base, page}, PROT_READ).has_value());
    BOOST_TEST((probe.readable(*base) && !probe.writable(*base) && probe.writable(*base + page)));
    BOOST_TEST(os::advise({*base, page}, MADV_NORMAL).has_value());
    BOOST_TEST(os::unmap({*base, 2 * page}).has_value());
    BOOST_TEST(!probe.readable(*base));

    const auto file = os::open("/proc/self/comm");
    BOOST_TEST_REQUIRE(file.has_value());
    std::array<char, 16> text{};
    BOOST_TEST(os::read(*file, text).value() > 0);
    BOOST_TEST(os::close(*file).has_value());
}

BOOST_AUTO_TEST_CASE(errno_is_answered_and_left_alone) {
    errno = EDOM;
    test::check_fails(os::map(0, 0, PROT_READ, anonymous), {errc::os_failure, EINVAL});
    test::check_fails(os::open("/nowhere"), {errc::os_failure, ENOENT});
    test::check_fails(os::close(-1), {errc::os_failure, EBADF});
    BOOST_TEST(errno == EDOM);
}

BOOST_AUTO_TEST_CASE(the_nth_call_fails_and_no_other) {
    const std::uint64_t before = os::calls(call::close);
    os::fail_nth(call::close, 2, EIO);
    test::check_fails(os::close(-1), {errc::os_failure, EBADF});
    test::check_fails(os::open("/nowhere"), {errc::os_failure, ENOENT});
    test::check_fails(os::close(-1), {errc::os_failure, EIO});
    test::check_fails(os::close(-1), {errc::os_failure, EBADF});
    BOOST_TEST(os::calls(call::close) == before + 3);
}

BOOST_AUTO_TEST_CASE(any_kind_counts_for_any) {
    os::fail_nth(call::any, 2, EIO);
    test::check_fails(os::close(-1), {errc::os_failure, EBADF});
    test::check_fails(os::open("/nowhere"), {errc::os_failure, EIO});
    test::check_fails(os::open("/nowhere"), {errc::os_failure, ENOENT});
}

BOOST_AUTO_TEST_CASE(a_wish_can_be_withdrawn) {
    os::fail_nth(call::close, 1, EIO);
    os::fail_nth(call::close, 0, EIO);
    test::check_fails(os::close(-1), {errc::os_failure, EBADF});
}

} // namespace
