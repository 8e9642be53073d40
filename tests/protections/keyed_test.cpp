// SPDX-License-Identifier: MIT
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/pmalloc.hpp>
#include <palloc/protections/keyed.hpp>

#include <boost/test/unit_test.hpp>

#include <csetjmp>
#include <csignal>
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

/// All areas are under one key: whichever window closes first leaves the other open.
BOOST_AUTO_TEST_CASE(windows_close_in_any_order) {
    for (const bool first_closes_first : {true, false}) {
        test::simulated_area it(keyed{});
        BOOST_TEST(it.protect().has_value());
        const auto open = [&] {
            return it.protection.open_window(it.backing, it.region, it.state, it.where).value();
        };
        auto first = open();
        auto second = open();
        BOOST_TEST((first_closes_first ? first : second).close().has_value());
        BOOST_TEST(it.is_writable());
        it.protection.let_this_thread_read(it.backing, it.region); // it may write, and goes on so
        BOOST_TEST(it.is_writable());
        BOOST_TEST((first_closes_first ? second : first).close().has_value());
        BOOST_TEST(!it.is_writable());
    }
}

/// A page under the keys of this machine, or the case is skipped.
class real_area {
  public:
    real_area() {
        if (protection.protect(backing, region, state))
            return;
        (void)backing.unmap(region);
        test::skip("this machine has no protection keys");
    }
    ~real_area() {
        BOOST_TEST(protection.close_area(backing, region, state).has_value());
        BOOST_TEST(backing.unmap(region).has_value());
    }
    real_area(const real_area&) = delete;
    real_area& operator=(const real_area&) = delete;

    [[nodiscard]] bool readable() const { return probe.readable(where.base); }
    [[nodiscard]] bool writable() const { return probe.writable(where.base); }
    [[nodiscard]] write_window open() {
        return protection.open_window(backing, region, state, where).value();
    }
    void let_this_thread_read() { protection.let_this_thread_read(backing, region); }

    mmap_backing backing{};
    mmap_backing::region region = backing.map({.bytes = 4096}).value();
    range where = backing.where(region);
    keyed protection{};
    keyed::area_state state{};
    test::page_probe probe{};
};

BOOST_AUTO_TEST_CASE(a_thread_opens_for_itself_alone) {
    real_area it;
    BOOST_TEST((it.readable() && !it.writable()));
    {
        const auto window = it.open();
        BOOST_TEST(it.writable());
        std::thread([&] {
            it.let_this_thread_read(); // it was started with the window open
            BOOST_TEST((it.readable() && !it.writable()));
        }).join();
        BOOST_TEST(it.writable());
    }
    BOOST_TEST(!it.writable());
}

BOOST_AUTO_TEST_CASE(on_this_machine_too_windows_close_in_any_order) {
    real_area it;
    real_area other;
    auto first = it.open();
    auto second = other.open();
    BOOST_TEST(first.close().has_value());
    BOOST_TEST(other.writable());
    auto third = it.open();
    BOOST_TEST(second.close().has_value());
    BOOST_TEST(it.writable());
    BOOST_TEST(third.close().has_value());
    BOOST_TEST((!it.writable() && !other.writable() && it.readable()));
}

sigjmp_buf out_of_handler;

/// The kernel closes every key when it calls a handler, and opens them when that returns.
BOOST_AUTO_TEST_CASE(who_jumps_out_of_a_handler_lets_itself_read_again) {
    real_area it;
    struct sigaction jumping{};
    jumping.sa_handler = [](int) { siglongjmp(out_of_handler, 1); };
    struct sigaction before{};
    ::sigaction(SIGUSR1, &jumping, &before);
    for (const bool in_a_window : {false, true}) {
        auto window = in_a_window ? it.open() : write_window();
        if (sigsetjmp(out_of_handler, 1) == 0)
            ::raise(SIGUSR1);
        BOOST_TEST((!it.readable() && !it.writable()));
        it.let_this_thread_read();
        BOOST_TEST((it.readable() && it.writable() == in_a_window));
        BOOST_TEST(window.close().has_value());
        BOOST_TEST((it.readable() && !it.writable()));
    }
    ::sigaction(SIGUSR1, &before, nullptr);
}

/// The same for a thread of a pool, whose areas are all opened to it.
BOOST_AUTO_TEST_CASE(a_pool_admits_a_thread_that_could_not_read) {
    const real_area has_keys; // or the case is skipped
    const auto pool = pmalloc::create({.name = "keyed", .wanted = strength::guarded}).value();
    const address first = address_of(pool->alloc(8).value());
    const address second = address_of(pool->alloc(100'000).value());
    BOOST_TEST((pool->protect() == strength::guarded));
    struct sigaction jumping{};
    jumping.sa_handler = [](int) { siglongjmp(out_of_handler, 1); };
    struct sigaction before{};
    ::sigaction(SIGUSR1, &jumping, &before);
    std::thread([&] {
        if (sigsetjmp(out_of_handler, 1) == 0)
            ::raise(SIGUSR1);
        const test::page_probe probe;
        for (const address each : {first, second})
            BOOST_TEST((!probe.readable(each) && !probe.writable(each)));
        pool->admit_this_thread();
        for (const address each : {first, second})
            BOOST_TEST((probe.readable(each) && !probe.writable(each)));
    }).join();
    ::sigaction(SIGUSR1, &before, nullptr);
}

} // namespace
