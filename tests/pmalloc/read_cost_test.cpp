// SPDX-License-Identifier: MIT
// Reading what is protected takes the same instructions as reading what is not: counted one by one.
#include <palloc/bridges/frozen.hpp>
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/ptrace.h>
#include <sys/wait.h>

#include "support/in_child.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

using table = std::pmr::map<std::uint64_t, std::pmr::string>;

table sample(std::uint64_t entries) {
    table all;
    for (std::uint64_t i = 0; i != entries; ++i)
        all.emplace(i * 7919 % 65536, "a value that is longer than a string holds inside");
    return all;
}

/// As a program would read it.
[[gnu::noinline]] std::uint64_t read_all(const table& from, std::uint64_t entries) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i != entries; ++i) {
        const auto found = from.find(i * 7919 % 65536);
        sum += static_cast<unsigned char>(found->second[static_cast<std::size_t>(i % 40)]) +
               found->second.size();
    }
    return sum;
}

constexpr std::uint64_t entries = 60;

/// One table, read out of several pools.
std::vector<pmalloc_options> subjects() {
    std::vector<pmalloc_options> all{{.name = "plain"},
                                     {.name = "plain too"},
                                     {.name = "read-only", .wanted = strength::read_only},
                                     {.name = "sealed", .wanted = strength::sealed},
                                     {.name = "permanent", .wanted = strength::permanent},
                                     {.name = "keyed", .wanted = strength::guarded},
                                     {.name = "written rarely", .mode = pmalloc_mode::wr}};
    for (auto& each : all) {
        each.refill_bytes = 1 << 20;
        each.insistence = demand::best_effort; // without mseal, or keys, it is the next rung
    }
    return all;
}

constexpr int may_not_be_traced = 1;

/// Reads out of each pool, and stops before each and behind the last.
[[nodiscard]] int read_between_stops() {
    const table original = sample(entries);
    const std::uint64_t right = read_all(original, entries);
    std::vector<pmalloc::handle> pools;
    std::vector<const table*> tables;
    for (const pmalloc_options& each : subjects()) {
        auto pool = pmalloc::create(each);
        const auto values = pool ? make_in<table>(**pool, original) : fail(errc::out_of_memory);
        if (!values)
            return 2;
        const bool is_protected = !each.name.starts_with("plain");
        if (is_protected && (!(*pool)->protect() || (*pool)->achieved() == strength::none))
            return 3;
        pools.push_back(std::move(*pool));
        tables.push_back(*values);
    }
    for (const table* each : tables) // so that nothing happens for the first time later
        if (read_all(*each, entries) != right)
            return 4;
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
        return may_not_be_traced;
    ::raise(SIGSTOP);
    for (const table* each : tables) {
        (void)read_all(*each, entries);
        ::raise(SIGSTOP);
    }
    return 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(read_cost)

BOOST_AUTO_TEST_CASE(reading_takes_the_same_instructions) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(read_between_stops());
    int status = 0;
    const auto stopped_by = [&](int signal) {
        return ::waitpid(child, &status, 0) == child && WIFSTOPPED(status) &&
               WSTOPSIG(status) == signal;
    };
    if (!stopped_by(SIGSTOP)) {
        BOOST_TEST_REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == may_not_be_traced));
        test::skip("this process may not be traced");
    }
    std::vector<std::uint64_t> counts;
    for (const pmalloc_options& each : subjects()) {
        std::uint64_t steps = 0;
        do {
            ++steps;
            BOOST_TEST_REQUIRE(::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0);
        } while (stopped_by(SIGTRAP));
        BOOST_TEST_REQUIRE((WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP));
        BOOST_TEST_MESSAGE(each.name << ": " << steps << " instructions");
        counts.push_back(steps);
    }
    ::ptrace(PTRACE_CONT, child, nullptr, nullptr);
    BOOST_TEST(test::end_of(child) == 0);
    counts.erase(counts.begin()); // it was entered from outside of the loop
    BOOST_TEST(counts[0] > entries * 10);
    for (const std::uint64_t each : counts)
        BOOST_TEST(each == counts[0]);
}

BOOST_AUTO_TEST_SUITE_END()
