// SPDX-License-Identifier: MIT
// What a child of fork finds of the pools of its parent, and that it cannot harm them.
#include <palloc/pmalloc.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <csignal>
#include <string>

#include "backends/os.hpp"
#include "pmalloc/made.hpp"
#include "support/in_child.hpp"

using namespace palloc;
using test::made;
using test::number;

BOOST_AUTO_TEST_SUITE(children_of_fork)

constexpr strength strengths[] = {strength::sealed, strength::permanent};

BOOST_DATA_TEST_CASE(a_child_reads_what_is_sealed, strengths, wanted) {
    const auto pool = made({.wanted = wanted, .insistence = demand::best_effort});
    const char* const text = pool->strdup("data").value();
    BOOST_TEST(pool->protect().has_value());
    BOOST_TEST(test::in_child([&] {
                   if (std::string(text) != "data" || test::writable(text))
                       return 1;
                   if (pool->owns(number(text)) && pool->state() == pmalloc_state::is_protected)
                       return 0;
                   return 2;
               }) == 0);
    BOOST_TEST(std::string(text) == "data");
}

/// Whoever has the view could make it writable again.
BOOST_AUTO_TEST_CASE(what_is_only_read_only_is_absent_in_a_child) {
    const auto pool = made({.wanted = strength::read_only});
    const char* const text = pool->strdup("data").value();
    BOOST_TEST(pool->protect().value() == strength::read_only);
    BOOST_TEST(test::in_child([&] { return test::page_probe().readable(number(text)) ? 1 : 0; }) ==
               0);
    BOOST_TEST(std::string(text) == "data");
}

BOOST_AUTO_TEST_CASE(what_is_open_is_absent_in_a_child) {
    const auto pool = made();
    char* const text = const_cast<char*>(pool->strdup("data").value());
    BOOST_TEST(test::in_child([&] {
                   if (test::page_probe().readable(number(text)))
                       return 1;
                   return pool->protect().has_value() ? 2 : 0;
               }) == 0);
    text[0] = 'D'; // nothing of it is protected here
    BOOST_TEST(pool->protect().value() == strength::sealed);
    BOOST_TEST(std::string(text) == "Data");
}

/// All areas are protected, so what the child is given lies in an area of its own.
BOOST_AUTO_TEST_CASE(a_child_goes_on_with_a_pool_of_its_own) {
    const auto pool = made();
    const char* const text = pool->strdup("data").value();
    BOOST_TEST(pool->protect().has_value());
    BOOST_TEST(test::in_child([&] {
                   const auto more = pool->strdup("more");
                   if (!more || std::string(*more) != "more")
                       return 1;
                   if (const auto got = pool->protect(); !got || *got != strength::sealed)
                       return 2;
                   return !test::writable(*more) && std::string(text) == "data" ? 0 : 3;
               }) == 0);
    BOOST_TEST(pool->statistics().areas == 1u);
    BOOST_TEST(pool->statistics().allocated_blocks == 1u);
}

BOOST_AUTO_TEST_CASE(a_child_that_ends_a_pool_does_not_end_the_parent_s) {
    auto pool = made();
    const char* const text = pool->strdup("data").value();
    BOOST_TEST(pool->protect().has_value());
    const char* const open_text = pool->strdup("open").value();
    BOOST_TEST(test::in_child([&] {
                   pool.reset();
                   return test::page_probe().readable(number(text)) ? 1 : 0;
               }) == 0);
    BOOST_TEST((std::string(text) == "data" && std::string(open_text) == "open"));
    BOOST_TEST(pool->protect().value() == strength::sealed);
}

/// The words of a write-rare pool are shared, and the parent's to change.
BOOST_AUTO_TEST_CASE(a_child_sees_what_the_parent_writes_rarely_and_writes_nothing) {
    for (const bool by_key : {true, false}) {
        const auto pool = made({.mode = pmalloc_mode::wr});
        const int* const word = pool->make<int>(1).value();
        os::fail_nth(os::call::key_protect, by_key ? 0 : 1, ENOSYS);
        const strength got = pool->protect().value();
        os::fail_nth(os::call::key_protect, 0, 0);
        const int end = test::in_child([&] {
            for (const int caught : {SIGSEGV, SIGABRT}) // the test program has its own
                ::signal(caught, SIG_DFL);
            if (*word != 1)
                return 1;
            return pool->assign(word, 2).has_value() ? 2 : 0;
        });
        // Behind a key the second view is absent in the child.
        BOOST_TEST(end == (got == strength::guarded ? -SIGSEGV : 0));
        BOOST_TEST(*word == 1);
        BOOST_TEST(pool->assign(word, 3).has_value());
        BOOST_TEST(test::in_child([&] { return *word; }) == 3);
    }
}

BOOST_AUTO_TEST_SUITE_END()
