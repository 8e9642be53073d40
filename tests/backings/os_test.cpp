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

/// The error, or none.
error why(const auto& answer) {
    return answer ? error{} : answer.error();
}

/// Each function once, with arguments that the system refuses if it gets to see them.
const std::vector<std::pair<call, std::function<error()>>> each_kind = {
    {call::map, [] { return why(os::map(0, 0, 0, 0)); }},
    {call::unmap, [] { return why(os::unmap({1, 0})); }},
    {call::protect, [] { return why(os::protect({1, 1}, 0)); }},
    {call::advise, [] { return why(os::advise({1, 1}, -1)); }},
    {call::remap, [] { return why(os::remap({1, 1}, 1, 0)); }},
    {call::residency, [] { return why(os::residency({1, 1}, {})); }},
    {call::open, [] { return why(os::open("/nowhere")); }},
    {call::open, [] { return why(os::open_at(-1, "nowhere")); }},
    {call::read, [] { return why(os::read(-1, {})); }},
    {call::read, [] { return why(os::read_at(-1, {}, 0)); }},
    {call::write, [] { return why(os::write(-1, {})); }},
    {call::write, [] { return why(os::write_at(-1, {}, 0)); }},
    {call::close, [] { return why(os::close(-1)); }},
    {call::status, [] { return why(os::status(-1)); }},
    {call::truncate, [] { return why(os::truncate(-1, 0)); }},
    {call::reserve_file, [] { return why(os::reserve_file(-1, 0, 0, 0)); }},
    {call::memory_file, [] { return why(os::memory_file("", ~0U)); }},
    {call::add_seals, [] { return why(os::add_seals(-1, 0)); }},
    {call::seals, [] { return why(os::seals(-1)); }},
    {call::shared_file, [] { return why(os::shared_file("/", 0)); }},
    {call::shared_file, [] { return why(os::unlink_shared_file("/palloc-nowhere")); }},
    {call::lock_byte, [] { return why(os::lock_byte(-1, F_OFD_SETLK, F_UNLCK, 0)); }},
    {call::signal, [] { return why(os::signal_action(-1, nullptr, nullptr)); }},
    {call::signal, [] { return why(os::raise(-1)); }},
    {call::lock, [] { return why(os::lock({0, 1})); }},
    {call::unlock, [] { return why(os::unlock({0, 1})); }},
    {call::bind, [] { return why(os::bind({1, 1}, -1, {}, 0)); }},
    {call::policy, [] { return why(os::policy({}, 0, ~0UL)); }},
    {call::seal, [] { return why(os::seal({1, 1})); }},
    {call::key_alloc, [] { return why(os::key_alloc(~0U)); }},
    {call::key_free, [] { return why(os::key_free(-2)); }},
    {call::key_protect, [] { return why(os::key_protect({1, 1}, 0, 99)); }},
    {call::barrier, [] { return why(os::barrier(-1)); }},
    {call::process, [] { return why(os::process(-1)); }},
    {call::limit, [] { return why(os::limit(-1)); }},
    {call::random, [] { return why(os::random({static_cast<std::byte*>(nullptr), 8})); }},
};

BOOST_AUTO_TEST_CASE(every_kind_is_counted_and_can_be_made_to_fail) {
    for (const auto& [kind, make] : each_kind)
        BOOST_TEST_CONTEXT("kind " << static_cast<int>(kind)) {
            const std::uint64_t before = os::calls(kind);
            const bool done = make() == error{};
            // Sanitizers say that all memory is locked, and lock none.
            if (!test::is_sanitized || (kind != call::lock && kind != call::unlock))
                BOOST_TEST(!done);
            BOOST_TEST(os::calls(kind) == before + 1);
            os::fail_nth(kind, 1, ENOTRECOVERABLE);
            BOOST_TEST(make() == (error{errc::os_failure, ENOTRECOVERABLE}));
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
