// SPDX-License-Identifier: MIT
// What becomes of a pool where the machine does not go as far up as is wished.
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <string>

#include "backends/os.hpp"
#include "pmalloc/made.hpp"
#include "support/in_child.hpp"

using namespace palloc;

namespace {

pmalloc_options options_for(pmalloc_mode mode, strength wanted) {
    return {
        .name = "failing", .mode = mode, .wanted = wanted, .on_misuse = {.handler = count_misuse}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(pmalloc_ladder)

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

BOOST_AUTO_TEST_SUITE_END()
