// SPDX-License-Identifier: MIT
// What is said about a store into a protected pool, and that the program goes its way afterwards.
#include <palloc/core/fault_report.hpp>
#include <palloc/pmalloc.hpp>
#include <palloc/pmalloc/describe_fault.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>

#include <sys/syscall.h>

#include "backends/os.hpp"
#include "pmalloc/made.hpp"
#include "support/in_child.hpp"

using namespace palloc;

namespace {

/// What a child says on stderr, and how it ends.
template <class Act>
std::pair<std::string, int> heard(Act&& act) {
    int ends[2];
    BOOST_TEST_REQUIRE(::pipe(ends) == 0);
    const int end = test::in_child([&] {
        ::dup2(ends[1], 2);
        for (const int caught : {SIGSEGV, SIGABRT}) // the test program has its own
            ::signal(caught, SIG_DFL);
        return act();
    });
    ::close(ends[1]);
    std::array<char, 2000> text{};
    const auto length = ::read(ends[0], text.data(), text.size());
    ::close(ends[0]);
    return {std::string(text.data(), static_cast<std::size_t>(std::max<long>(length, 0))), end};
}

/// Where the fault is to be reported from.
[[gnu::noinline]] void store(volatile char* at) {
    *at = 'x';
}
constexpr std::uint64_t longest_store = 512;

/// Says first which thread stores, and from which function.
int store_into_block_1(bool from_another_thread = false) {
    if (!report_faults(describe_fault))
        return 3;
    const auto pool = test::made({.name = "rules"});
    (void)pool->alloc(100);
    auto* const block = static_cast<volatile char*>(pool->alloc(104).value());
    (void)pool->protect();
    const auto tell_and_store = [&] {
        ::dprintf(2, "%ld %llu\n", ::syscall(SYS_gettid),
                  static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(&store)));
        store(block + 12);
    };
    if (from_another_thread)
        std::thread(tell_and_store).join();
    else
        tell_and_store();
    return 0;
}

void check_thread_and_code(const std::string& text) {
    long thread = 0;
    unsigned long long function = 0;
    BOOST_TEST_REQUIRE(std::sscanf(text.c_str(), "%ld %llu", &thread, &function) == 2);
    const std::string from = "from thread " + std::to_string(thread) + " at 0x";
    const std::size_t at = text.find(from);
    BOOST_TEST_REQUIRE(at != std::string::npos, text);
    const std::uint64_t code = std::stoull(text.substr(at + from.size()), nullptr, 16);
    BOOST_TEST((code >= function && code < function + longest_store), text);
}

} // namespace

BOOST_AUTO_TEST_SUITE(fault_reports)

BOOST_AUTO_TEST_CASE(a_store_is_told_and_the_program_ends_as_it_would) {
    for (const bool from_another_thread : {false, true}) {
        const auto [text, end] = heard([&] { return store_into_block_1(from_another_thread); });
        BOOST_TEST(end == -SIGSEGV);
        BOOST_TEST(text.find("\npalloc: write to byte 12 of block 1 (104 bytes, sealed) of "
                             "protected pool 'rules', from thread ") != std::string::npos,
                   text);
        check_thread_and_code(text);
    }
}

BOOST_AUTO_TEST_CASE(a_plain_handler_of_before_is_called) {
    const auto [text, end] = heard([] {
        ::signal(SIGSEGV, [](int which) { ::_exit(which == SIGSEGV ? 44 : 45); });
        return store_into_block_1();
    });
    BOOST_TEST(end == 44);
    check_thread_and_code(text);
}

BOOST_AUTO_TEST_CASE(the_handler_of_before_is_called) {
    const auto [text, end] = heard([] {
        struct sigaction counting{};
        counting.sa_flags = SA_SIGINFO;
        counting.sa_sigaction = [](int, siginfo_t* info, void*) {
            ::_exit(info->si_addr != nullptr ? 42 : 43);
        };
        ::sigaction(SIGSEGV, &counting, nullptr);
        return store_into_block_1();
    });
    BOOST_TEST(end == 42);
    BOOST_TEST(text.find("'rules'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(other_faults_are_not_ours) {
    const auto [text, end] = heard([] {
        if (!report_faults(describe_fault))
            return 3;
        const auto pool = test::made({.name = "rules"});
        *reinterpret_cast<volatile char*>(std::uintptr_t{4096}) = 1;
        return 0;
    });
    BOOST_TEST(end == -SIGSEGV);
    BOOST_TEST(text.empty());
}

BOOST_AUTO_TEST_CASE(a_signal_that_was_sent_ends_the_program_too) {
    const auto [text, end] = heard([] {
        (void)report_faults(describe_fault);
        ::kill(::getpid(), SIGSEGV);
        return 0;
    });
    BOOST_TEST(end == -SIGSEGV);
    BOOST_TEST(text.empty());
}

BOOST_AUTO_TEST_CASE(reporting_starts_and_stops_once) {
    const auto current = [] {
        struct sigaction now{};
        ::sigaction(SIGSEGV, nullptr, &now);
        return now;
    };
    const struct sigaction before = current();
    const error refused{errc::os_failure, EPERM};
    for (const std::uint64_t call : {1U, 2U}) {
        os::fail_nth(os::call::signal, call, EPERM);
        test::check_fails(report_faults(describe_fault), refused);
        test::check_fails(stop_reporting_faults(), {errc::bad_argument}); // nothing is reported
    }
    BOOST_TEST((current().sa_sigaction == before.sa_sigaction));
    BOOST_TEST(report_faults(describe_fault).has_value());
    BOOST_TEST((current().sa_sigaction != before.sa_sigaction));
    os::fail_nth(os::call::signal, 1, EPERM);
    test::check_fails(stop_reporting_faults(), refused); // everything is still
    test::check_fails(report_faults(describe_fault), {errc::bad_argument});
    BOOST_TEST(stop_reporting_faults().has_value());
    BOOST_TEST((current().sa_sigaction == before.sa_sigaction));
    BOOST_TEST(current().sa_flags == before.sa_flags);
    test::check_fails(stop_reporting_faults(), {errc::bad_argument});
}

BOOST_AUTO_TEST_SUITE_END()
