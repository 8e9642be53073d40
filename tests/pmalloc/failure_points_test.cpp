// SPDX-License-Identifier: MIT
// Every system call of create, grow, protect and destroy made to fail in turn.
#include <palloc/pmalloc.hpp>

#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "backends/seam.hpp"
#include "pmalloc/made.hpp"
#include "support/failure_points.hpp"
#include "support/in_child.hpp"
#include "support/skip.hpp"

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

/// The bytes of areas that stay mapped whatever becomes of the pool.
std::uint64_t permanent_bytes(const pmalloc& pool) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i != pool.as_pool().chunk_count(); ++i)
        if (const auto& area = pool.as_pool().chunk_at(i);
            pool.as_pool().achieved_in(area) == strength::permanent)
            bytes += area.where.bytes;
    return bytes;
}

/// A life in which any call may fail. Answers whether none did; what is left at the end is data.
/// Adds to `stays` what is mapped for good.
bool live(pmalloc_mode mode, strength wanted, std::uint64_t* stays = nullptr) {
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
    if (pool.statistics().areas != 0 && done) { // less than is wanted is no success
        BOOST_TEST(*done == pool.achieved());
        if (is_write_rare(mode))
            BOOST_TEST((*done == strength::guarded || *done == strength::read_only));
        else
            BOOST_TEST(*done == wanted);
    }
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
        BOOST_TEST_REQUIRE(ended.has_value());
        BOOST_TEST(*ended == wanted);
    }
    if (stays != nullptr)
        *stays += permanent_bytes(pool);
    return all_well;
}

/// How many calls may fail unnoticed: those of the end of a pool, which answers nothing; advice
/// that only saves memory; a file that is closed. With windows also keys and the second views
/// behind them, without which it is done in another way.
std::uint64_t spared_calls(pmalloc_mode mode) {
    return is_write_rare(mode) ? 40 : 18;
}

} // namespace

BOOST_AUTO_TEST_SUITE(pmalloc_failures)

BOOST_AUTO_TEST_CASE(every_call_may_fail_and_nothing_is_left_behind) {
    (void)live(pmalloc_mode::ro, strength::sealed); // what is made once for all pools is there now
    std::uint64_t points = 0;
    const auto try_all = [&](pmalloc_mode mode, strength wanted) {
        const auto seen = test::fail_every_call([&] { return live(mode, wanted); });
        BOOST_TEST_MESSAGE(seen.calls << " failure points, " << seen.survived << " survived");
        BOOST_TEST(seen.survived <= spared_calls(mode));
        points += seen.calls;
    };
    for (const strength wanted : {strength::read_only, strength::sealed})
        try_all(pmalloc_mode::ro, wanted);
    for (const pmalloc_mode mode :
         {pmalloc_mode::wr, pmalloc_mode::auto_ro, pmalloc_mode::auto_wr, pmalloc_mode::start_wr})
        try_all(mode, strength::sealed);
    BOOST_TEST(points > 100u);
}

BOOST_AUTO_TEST_CASE(every_call_of_a_keyed_pool_may_fail_too) {
    {
        const auto pool = test::made({.name = "tried", .wanted = strength::guarded});
        BOOST_TEST(pool->alloc(8).has_value());
        if (!pool->protect())
            test::skip("this machine has no protection keys");
    }
    const auto seen =
        test::fail_every_call([] { return live(pmalloc_mode::ro, strength::guarded); });
    BOOST_TEST(seen.calls > 10u);
    BOOST_TEST(seen.survived <= spared_calls(pmalloc_mode::ro));
}

/// It stays, so each life is a process; and stays alone.
BOOST_AUTO_TEST_CASE(a_permanent_pool_leaves_what_is_permanent_and_no_more) {
    const auto failed_checks = [] {
        namespace unit_test = boost::unit_test;
        return unit_test::results_collector.results(unit_test::framework::current_test_unit().p_id)
            .p_assertions_failed.get();
    };
    const auto has_permanent = [] {
        const auto pool = test::made({.name = "tried", .wanted = strength::permanent});
        return pool->alloc(8).has_value() && pool->protect().has_value();
    };
    if (const int answer = test::in_child(has_permanent); answer != 0)
        test::skip("this kernel makes no mapping permanent");
    (void)live(pmalloc_mode::ro, strength::sealed); // what is made once for all pools
    std::uint64_t survived = 0;
    for (std::uint64_t n = 1;; ++n) {
        const int answer = test::in_child([&] {
            const std::uint64_t calls = os::calls(os::call::any);
            const std::uint64_t pages = test::mapped_pages();
            const std::size_t files = test::open_files();
            std::uint64_t stays = 0;
            os::fail_nth(os::call::any, n, ENOTRECOVERABLE);
            const bool all_well = live(pmalloc_mode::ro, strength::permanent, &stays);
            const std::uint64_t made = os::calls(os::call::any) - calls;
            os::fail_nth(os::call::any, 0, 0);
            if (test::mapped_pages() != pages + stays / os::page_bytes())
                return 2;
            if (test::open_files() != files)
                return 3;
            if (failed_checks() != 0)
                return 4;
            if (made < n)
                return all_well && stays != 0 ? 1 : 5;
            return all_well ? 6 : 0;
        });
        BOOST_TEST_REQUIRE((answer == 0 || answer == 1 || answer == 6),
                           "call " << n << ": " << answer);
        survived += answer == 6 ? 1U : 0U;
        if (answer == 1) {
            BOOST_TEST(n > 20u);
            break;
        }
    }
    BOOST_TEST_MESSAGE(survived << " survived");
    BOOST_TEST(survived <= spared_calls(pmalloc_mode::ro));
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
