// SPDX-License-Identifier: MIT
// Every system call of create, grow, protect and destroy made to fail in turn.
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <string>

#include "backends/os.hpp"
#include "pmalloc/made.hpp"
#include "support/failure_points.hpp"
#include "support/in_child.hpp"

using namespace palloc;

namespace {

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
    const auto large = pool.alloc(5000); // a second area
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

/// A permanent pool stays, so each life is a process.
BOOST_AUTO_TEST_CASE(a_permanent_pool_goes_on_where_it_stopped) {
    for (std::uint64_t n = 1;; ++n) {
        const int answer = test::in_child([n] {
            const auto pool = pmalloc::create(options_for(pmalloc_mode::ro, strength::permanent));
            const char* const text = (*pool)->strdup("data").value();
            os::fail_nth(os::call::any, n, ENOSYS);
            const std::uint64_t before = os::calls(os::call::any);
            const auto done = (*pool)->protect();
            const bool was_reached = os::calls(os::call::any) - before >= n;
            os::fail_nth(os::call::any, 0, 0);
            if (std::string(text) != "data")
                return 10;
            if (!done && (*pool)->achieved() == strength::sealed &&
                (*pool)->state() != pmalloc_state::interrupted)
                return 11;
            if (!done && (*pool)->achieved() == strength::none &&
                (*pool)->state() != pmalloc_state::open)
                return 12;
            if (const auto again = (*pool)->protect(); !again || *again != strength::permanent)
                return 13;
            if (test::writable(text) || std::string(text) != "data")
                return 14;
            return was_reached ? 0 : 1;
        });
        BOOST_TEST_REQUIRE((answer == 0 || answer == 1), "call " << n << ": " << answer);
        if (answer == 1) {
            BOOST_TEST(n > 5u);
            return;
        }
    }
}

BOOST_AUTO_TEST_CASE(the_ladder_is_climbed_as_far_as_the_machine_goes) {
    const struct {
        os::call lacking;
        strength wanted;
        strength reached;
    } rungs[] = {
        {os::call::seal, strength::permanent, strength::sealed}, // a kernel before 6.10
        {os::call::add_seals, strength::permanent, strength::read_only},
        {os::call::add_seals, strength::sealed, strength::read_only},
        {os::call::open, strength::sealed, strength::read_only}, // /proc is not mounted
    };
    for (const auto& [lacking, wanted, reached] : rungs)
        for (const demand insistence : {demand::required, demand::best_effort}) {
            const int answer = test::in_child([&] {
                auto options = options_for(pmalloc_mode::ro, wanted);
                options.insistence = insistence;
                const auto pool = pmalloc::create(options).value();
                const char* const text = pool->strdup("data").value();
                os::fail_nth(lacking, 1, ENOSYS);
                const auto got = pool->protect();
                if (insistence == demand::best_effort)
                    return got && *got == reached && !test::writable(text) ? 0 : 1;
                const bool is_interrupted = lacking == os::call::seal;
                return !got && got.error() == error{errc::os_failure, ENOSYS} &&
                               pool->state() == (is_interrupted ? pmalloc_state::interrupted
                                                                : pmalloc_state::open) &&
                               std::string(text) == "data"
                           ? 0
                           : 2;
            });
            BOOST_TEST(answer == 0, static_cast<int>(wanted)
                                        << " without " << static_cast<int>(lacking) << ": "
                                        << answer);
        }
}

BOOST_AUTO_TEST_CASE(who_insists_is_served_once_it_can_be) {
    const auto pool = test::made();
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
}

BOOST_AUTO_TEST_SUITE_END()
