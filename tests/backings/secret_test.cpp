// SPDX-License-Identifier: MIT
// What secret promises beyond the conformance suite; its forks are in fork_test.cpp, its limits in
// limits_test.cpp.
#include <palloc/backings/secret.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include <sys/uio.h>

#include "backends/os.hpp"
#include "models/backings.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/open_files.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(only_loads_of_this_process_see_it) {
    const std::size_t files = test::open_files();
    test::rig<secret> it;
    auto region = it.backing.map({.bytes = 4096}).value();
    BOOST_TEST(test::open_files() == files); // nobody maps the file again
    const address base = it.backing.where(region).base;
    std::strcpy(reinterpret_cast<char*>(base), "a key");
    std::array<std::byte, 5> seen{};
    const int memory = os::open("/proc/self/mem").value();
    BOOST_TEST(!os::read_at(memory, seen, static_cast<off_t>(base)).has_value());
    BOOST_TEST(os::close(memory).has_value());
    iovec here{seen.data(), seen.size()};
    iovec there{reinterpret_cast<void*>(base), seen.size()};
    BOOST_TEST(::process_vm_readv(::getpid(), &here, 1, &there, 1, 0) == -1);
    BOOST_TEST((seen[0] == std::byte{}));
    BOOST_TEST(std::strcmp(reinterpret_cast<char*>(base), "a key") == 0);
    BOOST_TEST(it.backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(what_it_cannot_be_is_refused) {
    test::rig<secret> it;
    auto region = it.backing.map({.bytes = 4096}).value();
    test::check_fails(
        it.backing.protect(region, it.backing.where(region), permissions::read_execute),
        {errc::not_supported});
    test::check_fails(it.backing.map({.bytes = 1, .node = numa_node{0}}), {errc::not_supported});
    test::check_fails(it.backing.map({.bytes = std::uint64_t{1} << 63}), {errc::too_large});
    test::check_fails(secret({.in_child = fork_treatment::copied}).map({.bytes = 1}),
                      {errc::not_supported});
    BOOST_TEST(it.backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(kernels_without_it_say_so) {
    os::fail_nth(os::call::secret_file, 1, ENOSYS);
    test::check_fails(secret().map({.bytes = 1}), {errc::not_supported, ENOSYS});
}

BOOST_AUTO_TEST_CASE(every_system_call_may_fail) {
    const test::rig<secret> needed; // or the case is skipped
    for (const auto child : {fork_treatment::absent, fork_treatment::shared}) {
        secret backing({.in_child = child});
        const auto points = test::fail_every_call([&] {
            if (!backing.lockable_bytes())
                return false;
            auto made = backing.map({.bytes = 4096, .alignment = 1 << 16});
            if (!made)
                return false;
            const range where = backing.where(*made);
            *reinterpret_cast<volatile char*>(where.base) = 1;
            bool all = true;
            if (!backing.protect(*made, where, permissions::read)) {
                all = false;
                *reinterpret_cast<volatile char*>(where.base) = 2;
            }
            if (!backing.unmap(*made)) {
                all = false;
                BOOST_TEST(backing.unmap(*made).has_value());
            }
            return all;
        });
        BOOST_TEST(points.calls >= 9u);
        BOOST_TEST(points.survived <= 3u); // to close what was read
    }
}

} // namespace
