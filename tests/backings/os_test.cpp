// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "backends/os.hpp"
#include "support/backing_checks.hpp"
#include "support/page_probe.hpp"
#include "support/sanitizers.hpp"

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

BOOST_AUTO_TEST_CASE(pages_are_moved_counted_locked) {
    const std::uint64_t page = os::page_bytes();
    const address base = os::map(0, 4 * page, PROT_READ | PROT_WRITE, anonymous).value();
    auto* const bytes = reinterpret_cast<volatile char*>(base);
    bytes[0] = 'a';
    std::array<unsigned char, 4> there{};
    BOOST_TEST(os::residency({base, 4 * page}, there).has_value());
    BOOST_TEST(((there[0] & 1) == 1 && (there[1] & 1) == 0));
    BOOST_TEST(os::lock({base, page}).has_value());
    BOOST_TEST(os::unlock({base, page}).has_value());
    const address moved =
        os::remap({base, page}, page, MREMAP_MAYMOVE | MREMAP_FIXED, base + 3 * page).value();
    BOOST_TEST(moved == base + 3 * page);
    BOOST_TEST(bytes[3 * page] == 'a');
    BOOST_TEST(!test::page_probe().readable(base));
    BOOST_TEST(os::unmap({base + page, 3 * page}).has_value());
}

BOOST_AUTO_TEST_CASE(memory_files_hold_what_is_written) {
    const int file = os::memory_file("palloc-test", MFD_CLOEXEC | MFD_ALLOW_SEALING).value();
    BOOST_TEST(os::truncate(file, 8192).has_value());
    BOOST_TEST(os::status(file).value().st_size == 8192);
    const std::array<std::byte, 3> written{std::byte{1}, std::byte{2}, std::byte{3}};
    std::array<std::byte, 3> read{};
    BOOST_TEST(os::write_at(file, written, 4096).value() == 3);
    BOOST_TEST(os::read_at(file, read, 4096).value() == 3);
    BOOST_TEST((read == written));
    BOOST_TEST(os::reserve_file(file, 0, 8192, 4096).has_value());
    BOOST_TEST(os::status(file).value().st_size == 12288);
    BOOST_TEST(os::write(file, std::string_view("abc")).value() == 3);
    BOOST_TEST(os::add_seals(file, F_SEAL_SHRINK).has_value());
    BOOST_TEST((os::seals(file).value() & F_SEAL_SHRINK) != 0);
    test::check_fails(os::truncate(file, 0), {errc::os_failure, EPERM});
    const int folder = os::open("/proc/self", O_RDONLY | O_DIRECTORY).value();
    const int name = os::open_at(folder, "comm").value();
    for (const int each : {name, folder, file})
        BOOST_TEST(os::close(each).has_value());
}

BOOST_AUTO_TEST_CASE(the_process_can_be_asked) {
    BOOST_TEST(os::limit(RLIMIT_NOFILE).value().rlim_cur > 0);
    BOOST_TEST(os::process(PR_GET_DUMPABLE).value() >= 0);
    BOOST_TEST(os::barrier(MEMBARRIER_CMD_QUERY).value() >= 0);
}

/// Each function once, with arguments that the system refuses if it gets to see them.
const std::vector<std::pair<call, std::function<bool()>>> each_kind = {
    {call::map, [] { return os::map(0, 0, 0, 0).has_value(); }},
    {call::unmap, [] { return os::unmap({1, 0}).has_value(); }},
    {call::protect, [] { return os::protect({1, 1}, 0).has_value(); }},
    {call::advise, [] { return os::advise({1, 1}, -1).has_value(); }},
    {call::remap, [] { return os::remap({1, 1}, 1, 0).has_value(); }},
    {call::residency, [] { return os::residency({1, 1}, {}).has_value(); }},
    {call::open, [] { return os::open("/nowhere").has_value(); }},
    {call::open, [] { return os::open_at(-1, "nowhere").has_value(); }},
    {call::read, [] { return os::read(-1, {}).has_value(); }},
    {call::read, [] { return os::read_at(-1, {}, 0).has_value(); }},
    {call::write, [] { return os::write(-1, {}).has_value(); }},
    {call::write, [] { return os::write_at(-1, {}, 0).has_value(); }},
    {call::close, [] { return os::close(-1).has_value(); }},
    {call::status, [] { return os::status(-1).has_value(); }},
    {call::truncate, [] { return os::truncate(-1, 0).has_value(); }},
    {call::reserve_file, [] { return os::reserve_file(-1, 0, 0, 0).has_value(); }},
    {call::memory_file, [] { return os::memory_file("", ~0U).has_value(); }},
    {call::add_seals, [] { return os::add_seals(-1, 0).has_value(); }},
    {call::seals, [] { return os::seals(-1).has_value(); }},
    {call::lock, [] { return os::lock({0, 1}).has_value(); }},
    {call::unlock, [] { return os::unlock({0, 1}).has_value(); }},
    {call::bind, [] { return os::bind({1, 1}, -1, {}, 0).has_value(); }},
    {call::policy, [] { return os::policy({}, 0, ~0UL).has_value(); }},
    {call::seal, [] { return os::seal({1, 1}).has_value(); }},
    {call::key_alloc, [] { return os::key_alloc(~0U).has_value(); }},
    {call::key_free, [] { return os::key_free(-2).has_value(); }},
    {call::key_protect, [] { return os::key_protect({1, 1}, 0, 99).has_value(); }},
    {call::barrier, [] { return os::barrier(-1).has_value(); }},
    {call::process, [] { return os::process(-1).has_value(); }},
    {call::limit, [] { return os::limit(-1).has_value(); }},
};

BOOST_AUTO_TEST_CASE(every_kind_is_counted_and_can_be_made_to_fail) {
    for (const auto& [kind, make] : each_kind)
        BOOST_TEST_CONTEXT("kind " << static_cast<int>(kind)) {
            const std::uint64_t before = os::calls(kind);
            const bool done = make();
            // Sanitizers say that all memory is locked, and lock none.
            if (!test::is_sanitized || (kind != call::lock && kind != call::unlock))
                BOOST_TEST(!done);
            BOOST_TEST(os::calls(kind) == before + 1);
        }
    // calls that succeed where they may
    void* here = &here;
    int node = 0;
    const std::vector<std::pair<call, std::function<error()>>> valid = {
        {call::secret_file, [] { return os::secret_file().error(); }},
        {call::nodes, [&] { return os::nodes({&here, 1}, {&node, 1}).error(); }},
        {call::limit, [] { return os::limit(RLIMIT_AS).error(); }},
        {call::memory_file, [] { return os::memory_file("", 0).error(); }},
        {call::bind, [] { return os::bind({0, 0}, MPOL_DEFAULT, {}, 0).error(); }},
        {call::policy, [] { return os::policy({}, 0, 0).error(); }},
    };
    for (const auto& [kind, make] : valid) {
        os::fail_nth(kind, 1, ENOTRECOVERABLE);
        BOOST_TEST(make() == (error{errc::os_failure, ENOTRECOVERABLE}));
    }
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
