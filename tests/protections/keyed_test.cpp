// SPDX-License-Identifier: MIT
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/protections/keyed.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>

#include "protections/area.hpp"
#include "support/page_probe.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

static_assert(protection_closes_in_two_steps<keyed, mmap_backing>);
static_assert(protection_opens_windows<keyed, memfd> && !protection_can_store<keyed, memfd>);

BOOST_AUTO_TEST_CASE(without_keys_it_fails_or_is_read_only_without_windows) {
    for (const demand insistence : {demand::required, demand::best_effort}) {
        test::simulated_area it(keyed{insistence});
        it.fail(backing_call::lock);
        const auto got = it.protect();
        BOOST_TEST(got.has_value() == (insistence == demand::best_effort));
        BOOST_TEST(it.is_writable() == !got.has_value());
        const auto window = it.protection.open_window(it.backing, it.region, it.state, it.where);
        BOOST_TEST(window.has_value() == !got.has_value());
    }
}

/// The keys of this machine.
BOOST_AUTO_TEST_CASE(a_thread_opens_for_itself_alone) {
    mmap_backing backing;
    auto region = backing.map({.bytes = 4096}).value();
    keyed protection;
    keyed::area_state state;
    if (const auto got = protection.protect(backing, region, state); !got) {
        BOOST_TEST(backing.unmap(region).has_value());
        test::skip("this machine has no protection keys");
    }
    const range where = backing.where(region);
    const test::page_probe probe;
    BOOST_TEST((probe.readable(where.base) && !probe.writable(where.base)));
    {
        const auto window = protection.open_window(backing, region, state, where).value();
        BOOST_TEST(probe.writable(where.base));
        std::thread([&] {
            protection.let_this_thread_read(backing, region); // it was started with the window open
            BOOST_TEST((probe.readable(where.base) && !probe.writable(where.base)));
        }).join();
        BOOST_TEST(probe.writable(where.base));
    }
    BOOST_TEST(!probe.writable(where.base));
    BOOST_TEST(protection.close_area(backing, region, state).has_value());
    BOOST_TEST(backing.unmap(region).has_value());
}

} // namespace
