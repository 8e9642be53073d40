// SPDX-License-Identifier: MIT
// Never writable and executable at once: random operations under filters that kill, under kernels
// that forbid, with the process's mappings read after each. Every case is a process of its own.
#include <palloc/perm_alloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <sched.h>

#include "page_rules.hpp"
#include "storm.hpp"
#include "support/in_child.hpp"
#include "support/skip.hpp"

using namespace palloc;
using namespace palloc::test;

namespace {

using flipping = basic_perm_alloc<mmap_backing>;

constexpr int cannot = 77; ///< the exit status of a child that finds no such rule here

/// @brief Random operations; the mappings are looked at after each `look`th.
template <class Allocator>
int run_storm(int operations, strength expected, int look = 1) {
    Allocator code;
    {
        storm<Allocator> ops(code, 20261125);
        mapping_reader maps;
        for (int i = 0; i != operations; ++i) {
            if (!ops.step())
                return 1;
            if (i % look == 0 && maps.any_writes_and_executes())
                return 2;
        }
        const auto probe = code.allocate({.bytes = 10});
        if (!probe || code.achieved(probe->address()) != expected || !code.free(*probe))
            return 3;
        if (!ops.check_all())
            return 4;
    }
    return code.as_pool().used_bytes() == 0 ? 0 : 5;
}

void expect_good(int status) {
    if (status == cannot)
        skip("the kernel has no such rule");
    BOOST_TEST(status == 0);
}

int operations() {
    return std::getenv("PALLOC_FULL") != nullptr ? 1'000'000 : 100'000;
}

/// @brief `run` in the only process of a namespace of its own with that setting.
template <class Run>
int with_memfd_noexec(const char* setting, Run&& run) {
    if (::unshare(CLONE_NEWPID) != 0)
        return cannot;
    return in_child([&] {
        std::ofstream file("/proc/sys/vm/memfd_noexec");
        file << setting << std::flush;
        return file ? run() : cannot;
    });
}

} // namespace

BOOST_AUTO_TEST_SUITE(perm_alloc_under_rules)

BOOST_AUTO_TEST_CASE(twin_views_where_asking_for_writable_code_kills) {
    expect_good(in_child(
        [] {
            return die_by_writable_code()
                       ? run_storm<perm_alloc>(operations(), strength::write_xor_execute)
                       : cannot;
        },
        3000));
}
BOOST_AUTO_TEST_CASE(the_filter_kills_who_asks_for_writable_code) {
    BOOST_TEST(in_child([] {
                   if (!die_by_writable_code())
                       return -SIGSYS;
                   (void)::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                   return 0;
               }) == -SIGSYS);
}
BOOST_AUTO_TEST_CASE(flips_where_asking_for_writable_code_kills) {
    expect_good(in_child([] {
        return die_by_writable_code() ? run_storm<flipping>(10'000, strength::write_or_execute)
                                      : cannot;
    }));
}

BOOST_AUTO_TEST_CASE(twin_views_where_nothing_becomes_executable) {
    expect_good(in_child([] {
        return deny_write_then_execute()
                   ? run_storm<perm_alloc>(10'000, strength::write_xor_execute, 10)
                   : cannot;
    }));
}
BOOST_AUTO_TEST_CASE(flips_where_nothing_becomes_executable_are_refused_cleanly) {
    expect_good(in_child([] {
        if (!deny_write_then_execute())
            return cannot;
        flipping code;
        const auto got = code.allocate({.bytes = 100});
        const bool clean = !got && got.error() == error{errc::os_failure, EACCES} &&
                           code.as_pool().chunk_count() == 0;
        const auto data = code.allocate({.bytes = 100, .allowed = permissions::read_write});
        return clean && data && code.free(*data) ? 0 : 1;
    }));
}

BOOST_AUTO_TEST_CASE(twin_views_without_execmem) {
    expect_good(in_child([] {
        return deny_execmem() ? run_storm<perm_alloc>(10'000, strength::write_xor_execute, 10)
                              : cannot;
    }));
}
BOOST_AUTO_TEST_CASE(flips_without_execmem_are_refused_cleanly) {
    expect_good(in_child([] {
        if (!deny_execmem())
            return cannot;
        flipping code;
        const auto got = code.allocate({.bytes = 100});
        return !got && got.error() == error{errc::os_failure, EACCES} &&
                       code.as_pool().chunk_count() == 0
                   ? 0
                   : 1;
    }));
}

BOOST_AUTO_TEST_CASE(twin_views_where_files_in_memory_are_not_for_execution) {
    for (const char* const setting : {"1", "2"})
        BOOST_TEST_CONTEXT("vm.memfd_noexec = " << setting)
    expect_good(in_child([&] {
        return with_memfd_noexec(
            setting, [] { return run_storm<perm_alloc>(5000, strength::write_xor_execute, 10); });
    }));
}

BOOST_AUTO_TEST_SUITE_END()
