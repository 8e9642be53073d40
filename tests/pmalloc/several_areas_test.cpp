// SPDX-License-Identifier: MIT
// Protecting more than one area: what can be undone is done everywhere before the first seal is
// set, and what is sealed when a later one fails stays so.
#include <palloc/backings/fake.hpp>
#include <palloc/pmalloc.hpp>
#include <palloc/protections/sealed.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "backends/seam.hpp"
#include "pmalloc/made.hpp"
#include "support/skip.hpp"

using namespace palloc;
using test::number;

namespace {

constexpr std::size_t area_count = 3;
using simulated = basic_pmalloc<sealed, fake_demand_paged>;

/// A block in each of three areas of simulated memory.
struct simulated_pool {
    simulated_pool() {
        for (std::size_t i = 0; i != area_count; ++i) {
            blocks.at(i) = pool->allocate(5000).value();
            contents.at(i) = space.content_at(blocks.at(i));
        }
        BOOST_TEST_REQUIRE(pool->statistics().areas == area_count);
    }

    [[nodiscard]] std::size_t sealed_areas() const {
        std::size_t count = 0;
        for (const address block : blocks)
            count += pool->achieved(block) == strength::sealed ? 1U : 0U;
        return count;
    }
    void check_contents() const {
        for (std::size_t i = 0; i != area_count; ++i) {
            BOOST_TEST(space.content_at(blocks.at(i)) == contents.at(i));
            BOOST_TEST(!space.read_faults(blocks.at(i)));
            BOOST_TEST(space.write_faults(blocks.at(i)) ==
                       (pool->achieved(blocks.at(i)) != strength::none));
        }
    }

    fake_space space{};
    simulated::handle pool =
        simulated::create({.name = "three"}, sealed{}, fake_demand_paged(space)).value();
    std::array<address, area_count> blocks{};
    std::array<std::uint64_t, area_count> contents{};
};

} // namespace

BOOST_AUTO_TEST_SUITE(several_areas)

BOOST_AUTO_TEST_CASE(every_view_is_read_only_before_the_first_seal_is_set) {
    simulated_pool it;
    it.space.start_log();
    BOOST_TEST(it.pool->protect().value() == strength::sealed);
    std::size_t views = 0;
    std::size_t seals = 0;
    for (const auto& call : it.space.log()) {
        views += call.kind == backing_call::replace_view ? 1U : 0U;
        seals += call.kind == backing_call::seal ? 1U : 0U;
        if (seals != 0)
            BOOST_TEST(views == area_count);
    }
    BOOST_TEST((views == area_count && seals == area_count));
}

BOOST_AUTO_TEST_CASE(whatever_call_fails_the_pool_is_as_it_was_or_goes_on) {
    std::size_t interruptions = 0;
    std::size_t undone = 0;
    for (std::uint64_t n = 1;; ++n) {
        simulated_pool it;
        it.space.script.fail_nth(backing_call::any, n);
        const auto got = it.pool->protect();
        it.space.script.fail_nth(backing_call::any, 0);
        it.check_contents();
        if (got) {
            BOOST_TEST(it.sealed_areas() == area_count);
            break;
        }
        const std::size_t closed = it.sealed_areas();
        (closed == 0 ? undone : interruptions) += 1;
        BOOST_TEST(closed < area_count);
        BOOST_TEST(it.pool->state() ==
                   (closed == 0 ? pmalloc_state::open : pmalloc_state::interrupted));
        BOOST_TEST(it.pool->achieved() == strength::none);
        for (const address block : it.blocks) // nothing is half closed
            BOOST_TEST((it.pool->achieved(block) == strength::none ||
                        it.pool->achieved(block) == strength::sealed));
        BOOST_TEST(it.pool->protect().value() == strength::sealed);
        BOOST_TEST(it.pool->state() == pmalloc_state::is_protected);
        BOOST_TEST(it.sealed_areas() == area_count);
        it.check_contents();
    }
    BOOST_TEST(undone == area_count + 1); // each view, and the first seal
    BOOST_TEST(interruptions == area_count - 1);
}

/// The same where the system really refuses the seal.
BOOST_AUTO_TEST_CASE(a_later_seal_that_is_refused_interrupts) {
#if defined(_WIN32)
    test::skip("no call of the system can refuse a seal");
#else
    for (std::uint64_t n = 1; n <= area_count; ++n) {
        const auto pool = test::made();
        std::array<const char*, area_count> texts{};
        for (const char*& text : texts) {
            text = pool->strdup("data").value();
            BOOST_TEST_REQUIRE(pool->alloc(4096 - 8).has_value()); // the rest of the page
        }
        BOOST_TEST_REQUIRE(pool->statistics().areas >= area_count);
        os::fail_nth(os::call::add_seals, n, EBUSY);
        test::check_fails(pool->protect(), {errc::os_failure, EBUSY});
        BOOST_TEST(pool->state() == (n == 1 ? pmalloc_state::open : pmalloc_state::interrupted));
        std::uint64_t closed = 0;
        for (const char* const text : texts) {
            BOOST_TEST(std::string(text) == "data");
            closed += pool->achieved(number(text)) == strength::sealed ? 1U : 0U;
        }
        BOOST_TEST(closed == n - 1);
        BOOST_TEST(pool->protect().value() == strength::sealed);
        for (const char* const text : texts)
            BOOST_TEST((std::string(text) == "data" && !test::writable(text)));
    }
#endif
}

BOOST_AUTO_TEST_SUITE_END()
