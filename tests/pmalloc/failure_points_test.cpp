// SPDX-License-Identifier: MIT
// Every system call of create, grow, protect and destroy made to fail in turn.
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <string>

#include "backends/seam.hpp"
#include "pmalloc/made.hpp"
#include "support/failure_points.hpp"

using namespace palloc;

namespace {

#if defined(_WIN32)
constexpr os::call making_memory = os::call::section;
constexpr int no_more = 1450; // ERROR_NO_SYSTEM_RESOURCES
#endif

pmalloc_options options_for(pmalloc_mode mode, strength wanted) {
    return {
        .name = "failing", .mode = mode, .wanted = wanted, .on_misuse = {.handler = count_misuse}};
}

/// A life in which any call may fail. Answers whether none did; what is left at the end is data.
bool live(pmalloc_mode mode, strength wanted) {
    auto made = pmalloc::create(options_for(mode, wanted));
    if (!made)
        return false;
    pmalloc& pool = **made;
    bool all_well = true;
    const auto text = pool.strdup("data");
    all_well = text && all_well;
    const auto large = pool.alloc(100'000); // a second area
    all_well = large && all_well;
    const pmalloc_state before = pool.state();
    auto done = pool.protect();
    if (!done) {
        all_well = false;
        const auto is_closed = [&](const auto& block) {
            return block && pool.achieved(test::number(*block)) != strength::none;
        };
        const bool goes_on = is_closed(text) || is_closed(large);
        if (before == pmalloc_state::open)
            BOOST_TEST(pool.state() ==
                       (goes_on ? pmalloc_state::interrupted : pmalloc_state::open));
        else
            BOOST_TEST((pool.state() == before || pool.state() == pmalloc_state::interrupted));
        if (text)
            BOOST_TEST(std::string(*text) == "data");
        done = pool.protect(); // goes on
        BOOST_TEST(done.has_value());
    }
    BOOST_TEST((pool.state() == pmalloc_state::is_protected || pool.statistics().areas == 0));
    if (text) {
        BOOST_TEST(std::string(*text) == "data");
        BOOST_TEST(!test::writable(*text));
        BOOST_TEST(std::string(*text) == "data");
        if (is_write_rare(mode))
            all_well = pool.fill(*text, std::byte{'x'}, 1) && all_well;
    }
    if (is_write_rare(mode) && pool.statistics().areas != 0) {
        auto ended = pool.make_read_only();
        if (!ended) {
            all_well = false;
            ended = pool.make_read_only();
        }
        BOOST_TEST(ended.has_value());
    }
    return all_well;
}

} // namespace

BOOST_AUTO_TEST_SUITE(pmalloc_failures)

BOOST_AUTO_TEST_CASE(every_call_may_fail_and_nothing_is_left_behind) {
    (void)live(pmalloc_mode::ro, strength::sealed); // what is made once for all pools is there now
    std::uint64_t points = 0;
    for (const strength wanted : {strength::read_only, strength::sealed})
        points += test::fail_every_call([&] { return live(pmalloc_mode::ro, wanted); }).calls;
    for (const pmalloc_mode mode :
         {pmalloc_mode::wr, pmalloc_mode::auto_ro, pmalloc_mode::auto_wr, pmalloc_mode::start_wr})
        points += test::fail_every_call([&] { return live(mode, strength::sealed); }).calls;
    BOOST_TEST(points > 100u);
    BOOST_TEST_MESSAGE(points << " failure points");
}

BOOST_AUTO_TEST_CASE(who_insists_is_served_once_it_can_be) {
    const auto pool = test::made();
#if defined(_WIN32)
    constexpr std::uint64_t bytes = 128 << 10; // an area more
    os::fail_nth(making_memory, 1, no_more);
    test::check_fails(pool->alloc(bytes), {errc::os_failure, no_more});
    os::fail_nth(making_memory, 1, no_more);
    BOOST_TEST(pool->alloc(bytes, pmalloc_flags::insist).has_value());
    os::fail_nth(making_memory, 0, 0);
#else
    os::fail_nth(os::call::memory_file, 1, EMFILE);
    test::check_fails(pool->alloc(8192), {errc::os_failure, EMFILE});
    constexpr os::call in_the_way[] = {os::call::memory_file, os::call::truncate, os::call::map};
    std::uint64_t before = os::calls(os::call::memory_file);
    for (const os::call each : in_the_way) // one attempt after the other
        os::fail_nth(each, 1, ENOMEM);
    BOOST_TEST(pool->alloc(8192, pmalloc_flags::insist).has_value());
    BOOST_TEST(os::calls(os::call::memory_file) - before == 4u);
    for (const os::call each : in_the_way)
        os::fail_nth(each, 0, 0);
#endif
}

BOOST_AUTO_TEST_SUITE_END()
