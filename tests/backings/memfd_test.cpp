// SPDX-License-Identifier: MIT
// What memfd promises beyond the conformance suite; its forks are in fork_test.cpp, what other
// threads see in memfd_views_test.cpp, its regions that grow in memfd_resize_test.cpp.
#include <palloc/backings/memfd.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <span>
#include <string>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "backends/os.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/failure_points.hpp"
#include "support/in_child.hpp"
#include "support/open_files.hpp"
#include "support/page_probe.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

char* bytes_at(address at) {
    return reinterpret_cast<char*>(at);
}

/// Written, shown read-only, sealed: what pmalloc does with it.
memfd::region sealed_region(memfd& backing, const char* text) {
    auto region = backing.map({.bytes = 4096}).value();
    std::strcpy(bytes_at(backing.where(region).base), text);
    BOOST_TEST_REQUIRE(backing.replace_view(region, permissions::read).has_value());
    BOOST_TEST_REQUIRE(backing.seal(region).has_value());
    return region;
}

BOOST_AUTO_TEST_CASE(both_views_show_the_same_bytes) {
    memfd backing;
    auto region = backing.map({.bytes = 3 * 4096}).value();
    const range where = backing.where(region);
    bytes_at(where.base)[5000] = 'm';
    const address alias = backing.open_alias(region).value();
    BOOST_TEST(bytes_at(alias)[5000] == 'm');
    for (const permissions allowed : {permissions::read, permissions::read_write}) {
        BOOST_TEST(backing.replace_view(region, allowed).has_value());
        bytes_at(alias)[where.bytes - 1] = 'a';
        BOOST_TEST(bytes_at(where.base)[where.bytes - 1] == 'a');
        BOOST_TEST(bytes_at(where.base)[5000] == 'm');
        bytes_at(alias)[where.bytes - 1] = 'b';
        BOOST_TEST(bytes_at(where.base)[where.bytes - 1] == 'b');
    }
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_populated_is_there_and_unchanged) {
    memfd backing;
    auto region = backing.map({.bytes = 16 * 4096}).value();
    const range where = backing.where(region);
    bytes_at(where.base)[2 * 4096] = 'm';
    backing.populate(region, where); // no alias: nothing
    const address alias = backing.open_alias(region).value();
    const auto resident = [&] {
        std::array<unsigned char, 16> pages{};
        BOOST_TEST_REQUIRE(::mincore(bytes_at(alias), pages.size() * 4096, pages.data()) == 0);
        return std::count_if(pages.begin(), pages.end(), [](auto page) { return page & 1U; });
    };
    BOOST_TEST(resident() == 1);
    for (const range none : {range{where.base, 4095}, range{where.base + 15 * 4096, 2 * 4096}})
        backing.populate(region, none); // no pages of it
    BOOST_TEST(resident() == 1);
    BOOST_TEST(backing.forbid_other_writers(region).has_value());
    backing.populate(region, {where.base + 4096, 8 * 4096});
    BOOST_TEST(resident() == 8);
    for (std::uint64_t i = 0; i != where.bytes; ++i)
        BOOST_TEST_REQUIRE(bytes_at(alias)[i] == (i == 2 * 4096 ? 'm' : 0));
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(a_view_that_is_not_writable_can_never_become_so) {
    memfd backing;
    auto region = backing.map({.bytes = 4096}).value();
    const range where = backing.where(region);
    BOOST_TEST(test::mapping_flags(where.base).find(" mw ") != std::string::npos);
    for (const permissions allowed :
         {permissions::read, permissions::none, permissions::read_execute}) {
        BOOST_TEST(backing.replace_view(region, allowed).has_value());
        BOOST_TEST(test::mapping_flags(where.base).find(" mw ") == std::string::npos);
        test::check_fails(backing.protect(region, where, permissions::read_write),
                          {errc::os_failure, EACCES});
    }
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(only_a_placed_view_lets_the_seal_be_set) {
    memfd backing;
    auto region = backing.map({.bytes = 4096}).value();
    const range where = backing.where(region);
    BOOST_TEST(backing.protect(region, where, permissions::read).has_value());
    test::check_fails(backing.seal(region), {errc::os_failure, EBUSY}); // it might be written yet
    BOOST_TEST(backing.replace_view(region, permissions::read).has_value());
    BOOST_TEST(backing.seal(region).has_value());
    BOOST_TEST(backing.seal(region).has_value()); // it is
    test::check_fails(backing.open_alias(region), {errc::os_failure, EPERM});
    test::check_fails(backing.replace_view(region, permissions::read_write),
                      {errc::os_failure, EPERM});
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_sealed_stays_and_costs_no_descriptor) {
    const test::page_probe probe;
    const std::size_t files = test::open_files();
    memfd backing;
    auto region = sealed_region(backing, "for good");
    const address base = backing.where(region).base;
    BOOST_TEST(test::open_files() == files);
    BOOST_TEST(std::strcmp(bytes_at(base), "for good") == 0);
    BOOST_TEST((probe.readable(base) && !probe.writable(base)));
    BOOST_TEST(backing.replace_view(region, permissions::none).has_value());
    BOOST_TEST(!probe.readable(base));
    BOOST_TEST(backing.replace_view(region, permissions::read).has_value());
    BOOST_TEST(std::strcmp(bytes_at(base), "for good") == 0);
    const int memory = os::open("/proc/self/mem", O_RDWR).value(); // forces its way elsewhere
    const std::array<std::byte, 1> other{std::byte{'F'}};
    BOOST_TEST(!os::write_at(memory, other, static_cast<off_t>(base)).has_value());
    BOOST_TEST(os::close(memory).has_value());
    BOOST_TEST(std::strcmp(bytes_at(base), "for good") == 0);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(the_file_begins_where_the_region_does) {
    memfd backing;
    for (int i = 0; i != 40; ++i) {
        auto region = backing.map({.bytes = 2 * 4096, .alignment = std::uint64_t{1} << 25}).value();
        const range where = backing.where(region);
        bytes_at(where.base)[0] = 'f'; // beyond the end of the file this would kill
        bytes_at(where.base)[where.bytes - 1] = 'l';
        const address alias = backing.open_alias(region).value();
        BOOST_TEST((bytes_at(alias)[0] == 'f' && bytes_at(alias)[where.bytes - 1] == 'l'));
        BOOST_TEST(backing.unmap(region).has_value());
    }
}

BOOST_AUTO_TEST_CASE(sizes_nobody_has_are_refused) {
    memfd backing;
    test::check_fails(backing.map({.bytes = ~std::uint64_t{0}}), {errc::too_large});
    test::check_fails(backing.map({.bytes = std::uint64_t{1} << 63}), {errc::too_large});
    test::check_fails(backing.map({.bytes = std::uint64_t{1} << 60}), {errc::os_failure, ENOMEM});
    test::check_fails(backing.map({.bytes = 1, .node = numa_node{0}}), {errc::not_supported});
    for (const auto no_such : {fork_treatment::copied, fork_treatment::wiped})
        test::check_fails(memfd({.in_child = no_such}).map({.bytes = 1}), {errc::not_supported});
}

BOOST_AUTO_TEST_CASE(a_limit_on_file_sizes_is_an_error_and_no_signal) {
    BOOST_TEST(test::in_child([] {
                   const rlimit limit{1 << 20, 1 << 20};
                   if (::setrlimit(RLIMIT_FSIZE, &limit) != 0)
                       return 1;
                   memfd backing;
                   auto small = backing.map({.bytes = 1 << 20});
                   const auto large = backing.map({.bytes = (1 << 20) + 1});
                   const bool refused = !large && large.error() == error{errc::os_failure, EFBIG};
                   return small && refused && backing.unmap(*small) ? 0 : 2;
               }) == 0);
}

/// A function that answers 42, in the machine's own code; empty where we do not know it.
#if defined(__x86_64__) || defined(__i386__)
constexpr std::array<unsigned char, 6> forty_two{0xb8, 42, 0, 0, 0, 0xc3};
#elif defined(__aarch64__)
constexpr std::array<unsigned char, 8> forty_two{0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6};
#else
constexpr std::array<unsigned char, 0> forty_two{};
#endif

/// Writes code through one view, and runs it in the other.
int run_code_in_two_views() {
    memfd backing;
    auto region = backing.map({.bytes = 4096});
    if (!region || !backing.replace_view(*region, permissions::read_execute))
        return 10;
    const auto alias = backing.open_alias(*region);
    if (!alias)
        return 11;
    std::memcpy(bytes_at(*alias), forty_two.data(), forty_two.size());
    __builtin___clear_cache(bytes_at(backing.where(*region).base),
                            bytes_at(backing.where(*region).base) + forty_two.size());
    const int answer = reinterpret_cast<int (*)()>(backing.where(*region).base)();
    return backing.unmap(*region) ? answer : 12;
}

BOOST_AUTO_TEST_CASE(code_runs_where_no_page_may_be_made_executable) {
    if (forty_two.empty())
        test::skip("this processor's code is not known here");
    constexpr int set_memory_deny_write_execute = 65;
    const int answer = test::in_child([&] {
        if (::prctl(set_memory_deny_write_execute, 1UL, 0UL, 0UL, 0UL) != 0)
            return errno == EINVAL ? 77 : 1;
        const auto page = os::map(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        if (!page || os::protect({*page, 4096}, PROT_READ | PROT_EXEC))
            return 2; // it does not deny
        return run_code_in_two_views();
    });
    if (answer == 77)
        test::skip("the kernel does not know PR_SET_MDWE");
    BOOST_TEST(answer == 42);
}

BOOST_AUTO_TEST_CASE(code_runs_where_executable_files_in_memory_are_forbidden) {
    if (forty_two.empty())
        test::skip("this processor's code is not known here");
    for (const char level : {'1', '2'}) {
        const int answer = test::in_child([&] {
            if (::unshare(CLONE_NEWPID) != 0)
                return 77;
            return test::in_child([&] { // the setting is that of the new namespace alone
                const auto file = os::open("/proc/sys/vm/memfd_noexec", O_WRONLY);
                if (!file || !os::write(*file, {&level, 1}))
                    return 77;
                if (level == '2' && ::memfd_create("", MFD_CLOEXEC | 0x10) != -1)
                    return 2; // it does not forbid
                return run_code_in_two_views();
            });
        });
        if (answer == 77)
            test::skip("no namespace of processes with a vm.memfd_noexec of its own");
        BOOST_TEST(answer == 42);
    }
}

BOOST_AUTO_TEST_CASE(old_kernels_get_no_flag_that_they_do_not_know) {
    memfd backing;
    const std::uint64_t before = os::calls(os::call::memory_file);
    os::fail_nth(os::call::memory_file, 1, EINVAL);
    auto region = backing.map({.bytes = 1}).value();
    BOOST_TEST(os::calls(os::call::memory_file) == before + 2);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(every_system_call_may_fail) {
    for (const auto child :
         {fork_treatment::read_only, fork_treatment::absent, fork_treatment::shared}) {
        memfd backing({.in_child = child});
        auto warm = backing.map({.bytes = 1}).value(); // a page that the process keeps, and a key
        const bool has_keys = backing.lock(warm, view::main).has_value();
        BOOST_TEST(backing.unmap(warm).has_value());
        const auto points = test::fail_every_call([&] {
            auto made = backing.map({.bytes = 2 * 4096, .alignment = 1 << 16});
            if (!made)
                return false;
            const range where = backing.where(*made);
            std::strcpy(bytes_at(where.base), "stays");
            // each step twice where it fails: what failed has changed nothing
            bool all = true;
            const auto twice = [&](auto&& step) {
                if (!step().has_value()) {
                    all = false;
                    BOOST_TEST(step().has_value());
                }
                BOOST_TEST(backing.where(*made) == where);
            };
            const range second{where.base + 4096, 4096};
            twice([&] { return backing.protect(*made, second, permissions::none); });
            twice([&] { return backing.protect(*made, second, permissions::read_write); });
            twice([&] { return backing.discard(*made, second); });
            twice([&] { return backing.store(*made, second.base, std::as_bytes(std::span("s"))); });
            BOOST_TEST(*bytes_at(second.base) == 's');
            const auto open_and_close = [&]() -> result<void> {
                return backing.open_part(*made, {second.base + 5, 9}).and_then([&](address part) {
                    auto closed = backing.close_part(*made, {part, 9});
                    BOOST_TEST((closed || backing.close_part(*made, {part, 9})));
                    return closed;
                });
            };
            twice(open_and_close);
            twice([&] { return backing.replace_view(*made, second, permissions::read); });
            twice([&] { return backing.replace_view(*made, second, permissions::read_write); });
            if (has_keys) {
                twice([&] { return backing.lock(*made, view::main); });
                twice([&] { return backing.unlock(*made, view::main); });
                BOOST_TEST(backing.lock(*made, view::alias).error().code == errc::bad_argument);
            }
            BOOST_TEST(*bytes_at(second.base) == 's');
            twice([&] { return backing.open_alias(*made); });
            backing.populate(*made, where); // advice: does what it can
            BOOST_TEST(std::strcmp(bytes_at(where.base), "stays") == 0);
            if (has_keys) {
                twice([&] { return backing.lock(*made, view::alias); });
                twice([&] { return backing.unlock(*made, view::alias); });
            }
            twice([&] { return backing.replace_view(*made, permissions::read); });
            BOOST_TEST(std::strcmp(bytes_at(where.base), "stays") == 0);
            twice([&] { return backing.replace_view(*made, permissions::read_write); });
            bytes_at(where.base)[4096] = 'w';
            twice([&] { return backing.replace_view(*made, permissions::read); });
            twice([&] { return backing.close_alias(*made); });
            twice([&] { return backing.seal(*made); });
            BOOST_TEST(std::strcmp(bytes_at(where.base), "stays") == 0);
            if (!backing.unmap(*made).has_value()) {
                all = false;
                BOOST_TEST(backing.unmap(*made).has_value());
            }
            return all;
        });
        BOOST_TEST(points.calls >= 19);
        BOOST_TEST(points.survived <= 7); // to close what was read, advice, an old kernel
    }
}

BOOST_AUTO_TEST_CASE(every_system_call_of_a_placed_region_may_fail) {
    memfd backing;
    auto around = backing.map({.bytes = 64 * 4096}).value();
    const range window = backing.where(around);
    BOOST_TEST(backing.unmap(around).has_value());
    const auto points = test::fail_every_call([&] {
        auto made = backing.map({.bytes = 4096, .within = window});
        if (!made)
            return false;
        BOOST_TEST(window.contains(backing.where(*made)));
        *bytes_at(backing.where(*made).base) = 'w';
        const bool gone = backing.unmap(*made).has_value();
        BOOST_TEST((gone || backing.unmap(*made).has_value()));
        return gone;
    });
    BOOST_TEST(points.calls >= 10);
    BOOST_TEST(points.survived <= 2); // to close what was read and the file
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_permanent_goes_as_before) {
    memfd backing;
    auto region = backing.map({.bytes = 4096}).value();
    for (const int why : {ENOSYS, ENOMEM}) {
        os::fail_nth(os::call::seal, 1, why);
        test::check_fails(backing.make_permanent(region), {errc::os_failure, why});
    }
    *bytes_at(backing.where(region).base) = 'w';
    BOOST_TEST(backing.protect(region, backing.where(region), permissions::read).has_value());
    BOOST_TEST(backing.unmap(region).has_value());
}

} // namespace
