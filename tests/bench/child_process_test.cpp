// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <palloc_bench/child_process.hpp>
#include <stdexcept>
#include <unistd.h>

#include <sys/resource.h>

using namespace std::chrono_literals;
using palloc::bench::run_in_child;

namespace {

struct answer {
    int number;
    pid_t process;
};

} // namespace

BOOST_AUTO_TEST_CASE(answer_comes_from_another_process) {
    const auto got = run_in_child([] { return answer{42, getpid()}; }, 1h);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->number == 42);
    BOOST_TEST(got->process != getpid());
}

BOOST_AUTO_TEST_CASE(exception_comes_back_in_words) {
    const auto got = run_in_child([]() -> int { throw std::runtime_error("no such thing"); }, 1h);
    BOOST_REQUIRE(!got.has_value());
    BOOST_TEST(got.error() == "no such thing");
}

BOOST_AUTO_TEST_CASE(crash_is_reported) {
    const auto got = run_in_child(
        []() -> int {
            const rlimit none{0, 0};
            setrlimit(RLIMIT_CORE, &none);
            std::signal(SIGSEGV, SIG_DFL);
            std::raise(SIGSEGV);
            return 1;
        },
        1h);
    BOOST_REQUIRE(!got.has_value());
    BOOST_TEST(got.error() == "killed by signal 11 (Segmentation fault)");
}

BOOST_AUTO_TEST_CASE(exit_without_an_answer_is_reported) {
    const auto got = run_in_child([]() -> int { _exit(3); }, 1h);
    BOOST_REQUIRE(!got.has_value());
    BOOST_TEST(got.error() == "exited with status 3 and no answer");
}

BOOST_AUTO_TEST_CASE(child_that_hangs_is_killed) {
    const auto got = run_in_child(
        []() -> int {
            for (;;)
                pause();
        },
        50ms);
    BOOST_REQUIRE(!got.has_value());
    BOOST_TEST(got.error() == "killed: no answer within 50 ms");
}
