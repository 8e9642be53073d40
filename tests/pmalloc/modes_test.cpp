// SPDX-License-Identifier: MIT
// The five modes, the strengths, and how protected memory is written.
#include <palloc/backings/fake.hpp>
#include <palloc/core/os_codes.hpp>
#include <palloc/pmalloc.hpp>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "backends/seam.hpp"
#include "pmalloc/made.hpp"

using namespace palloc;
using test::check_fails;
using test::made;
using test::number;

BOOST_AUTO_TEST_SUITE(pmalloc_modes)

BOOST_AUTO_TEST_CASE(a_read_only_pool_grows_by_fresh_areas) {
    const auto pool = made();
    const void* const old_block = pool->alloc(8).value();
    BOOST_TEST(pool->state() == pmalloc_state::open);
    BOOST_TEST(pool->protect().value() == strength::sealed);
    BOOST_TEST(pool->state() == pmalloc_state::is_protected);
    const void* const fresh = pool->alloc(8).value();
    BOOST_TEST(number(fresh) / 4096 != number(old_block) / 4096);
    BOOST_TEST((test::writable(fresh) && !test::writable(old_block)));
    BOOST_TEST(pool->state() == pmalloc_state::growing);
    BOOST_TEST(pool->achieved() == strength::none);
    BOOST_TEST(pool->achieved(number(old_block)) == strength::sealed);
    BOOST_TEST(pool->protect().value() == strength::sealed);
    BOOST_TEST(!test::writable(fresh));
    check_fails(pool->assign(static_cast<const int*>(old_block), 1), {errc::not_supported});
    check_fails(pool->open_window(static_cast<const int*>(old_block)).map([](auto&&) {}),
                {errc::not_supported});
    check_fails(pool->make_read_only(), {errc::not_supported});
}

BOOST_AUTO_TEST_CASE(an_automatic_pool_closes_an_area_when_it_opens_the_next) {
    for (const pmalloc_mode mode : {pmalloc_mode::auto_ro, pmalloc_mode::auto_wr}) {
        const auto pool = made({.mode = mode});
        const int* const first = pool->make<int>(1).value();
        const void* const large = pool->alloc(test::unit_bytes() + 1000).value();
        BOOST_TEST((!test::writable(first) && test::writable(large)));
        BOOST_TEST(*first == 1);
        BOOST_TEST(pool->state() == pmalloc_state::growing);
        BOOST_TEST(pool->assign(first, 2).has_value() == is_write_rare(mode));
        BOOST_TEST(*first == (is_write_rare(mode) ? 2 : 1));
        BOOST_TEST(pool->preload(100).has_value());
        BOOST_TEST(!test::writable(large));
    }
}

/// Windows behind a key where this machine has keys; or as where it has none.
constexpr bool key_choices[] = {true, false};

#if defined(_WIN32) // there are none
void hide_keys(bool) {}
#else
void hide_keys(bool are_hidden) {
    os::fail_nth(os::call::key_protect, are_hidden ? 1 : 0, ENOSYS);
}
#endif

/// What the first area that is protected comes to.
result<strength> protect(pmalloc& pool, bool by_key) {
    hide_keys(!by_key);
    auto got = pool.protect();
    hide_keys(false);
    if (!by_key)
        BOOST_TEST(got.value() == strength::read_only);
    return got;
}

BOOST_DATA_TEST_CASE(a_write_rare_pool_is_written_by_calls_alone, key_choices, by_key) {
    const auto pool = made({.mode = pmalloc_mode::wr});
    const auto numbers = pool->make_array<std::uint64_t>(600).value();
    const std::uint64_t* const at = numbers.data();
    BOOST_TEST(pool->add(at, 5).has_value()); // before protection as well
    BOOST_TEST(at[0] == 5u);
    BOOST_TEST(protect(*pool, by_key).value() <= strength::read_only);
    BOOST_TEST(!test::writable(at));

    BOOST_TEST(pool->add(at, 7).has_value());
    BOOST_TEST(pool->subtract(at, 2).has_value());
    BOOST_TEST(pool->assign(at + 1, 99).has_value());
    BOOST_TEST((at[0] == 10u && at[1] == 99u));
    BOOST_TEST(pool->fill(at + 2, std::byte{0xff}, 8).has_value());
    BOOST_TEST((at[2] == ~std::uint64_t{0} && at[3] == 0u));
    const std::array<std::uint64_t, 590> copied{1, 2, 3};
    BOOST_TEST(pool->copy(at + 10, std::as_bytes(std::span(copied))).has_value()); // over a page
    BOOST_TEST((at[12] == 3u && at[9] == 0u));
    {
        auto window = pool->open_window(at + 500, 100).value();
        BOOST_TEST(window.bytes().size() == 800u);
        std::memset(window.bytes().data(), 1, 800);
        BOOST_TEST(window.close().has_value());
        BOOST_TEST(window.bytes().empty());
    }
    BOOST_TEST(at[599] == 0x0101010101010101u);
    BOOST_TEST(!test::writable(at));

    check_fails(pool->add(reinterpret_cast<const int*>(reinterpret_cast<const char*>(at) + 1), 1),
                {errc::bad_alignment});
    check_fails(pool->assign(&at[0] + 1'000'000, 1), {errc::not_ours});
}

BOOST_DATA_TEST_CASE(a_window_shuts_behind_itself, key_choices, by_key) {
    const auto pool = made({.mode = pmalloc_mode::wr});
    const int* const number_in_pool = pool->make<int>(1).value();
    BOOST_TEST(protect(*pool, by_key).has_value());
    address elsewhere = 0;
    {
        auto window = pool->open_window(number_in_pool).value();
        elsewhere = window.writable().base;
        BOOST_TEST(elsewhere != number(number_in_pool));
        auto second = pool->open_window(number_in_pool).value(); // any number may be open
        auto moved = std::move(second);
        BOOST_TEST(second.writable().bytes == 0u);
        BOOST_TEST(moved.close().has_value());
        *reinterpret_cast<int*>(elsewhere) = 2;
    }
    BOOST_TEST(*number_in_pool == 2);
    BOOST_TEST(!test::page_probe().writable(elsewhere));
}

/// Immutable is immutable: nothing is answered while somebody can still write.
BOOST_DATA_TEST_CASE(no_pool_is_made_read_only_under_an_open_window, key_choices, by_key) {
    const auto pool = made({.mode = pmalloc_mode::wr});
    const int* const value = pool->make<int>(1).value();
    const bool has_key = protect(*pool, by_key).value() == strength::guarded;
    auto window = pool->open_window(value).value();
    auto* const there = reinterpret_cast<int*>(window.writable().base);
    *there = 2;
    auto ended = pool->make_read_only();
    BOOST_TEST(ended.has_value() == has_key);
    check_fails(pool->assign(value, 3), {errc::is_protected});
    check_fails(pool->open_window(value).map([](auto&&) {}), {errc::is_protected});
    if (!has_key) {
        BOOST_TEST(is_busy(ended.error()));
        BOOST_TEST(is_busy(pool->make_read_only().error())); // as often as it is asked
        *there = 4;
        BOOST_TEST(*value == 4);
    }
    BOOST_TEST(window.close().has_value());
    BOOST_TEST(!test::page_probe().writable(number(there)));
    ended = pool->make_read_only();
    BOOST_TEST(ended.value() == strength::sealed);
    BOOST_TEST(*value == (has_key ? 2 : 4));
    BOOST_TEST((pool->state() == pmalloc_state::is_protected && pool->books_are_closed()));
    check_fails(pool->alloc(8), {errc::is_protected});
}

/// Windows onto two pools: they share a key, where there is one.
BOOST_DATA_TEST_CASE(windows_close_in_any_order, key_choices, by_key) {
    const auto first = made({.name = "first", .mode = pmalloc_mode::wr});
    const auto second = made({.name = "second", .mode = pmalloc_mode::wr});
    const int* const one = first->make<int>(1).value();
    const int* const two = second->make<int>(2).value();
    BOOST_TEST(protect(*first, by_key).has_value());
    BOOST_TEST(protect(*second, by_key).has_value());
    auto opened_first = first->open_window(one).value();
    auto opened_second = second->open_window(two).value();
    const address there = opened_second.writable().base;
    BOOST_TEST(opened_first.close().has_value());
    BOOST_TEST_REQUIRE(test::page_probe().writable(there));
    *reinterpret_cast<int*>(there) = 22;
    BOOST_TEST(second->assign(two, 23).has_value()); // a window within the window
    BOOST_TEST(test::page_probe().writable(there));
    BOOST_TEST(opened_second.close().has_value());
    BOOST_TEST(!test::page_probe().writable(there));
    BOOST_TEST(*one == 1);
}

BOOST_AUTO_TEST_CASE(a_pool_that_starts_write_rare_never_is_writable) {
    const auto pool = made({.mode = pmalloc_mode::start_wr});
    const char* const text = pool->strdup("from the start").value();
    BOOST_TEST(std::string(text) == "from the start");
    BOOST_TEST(!test::writable(text));
    const int* const seven = pool->make<int>(7).value();
    BOOST_TEST((*seven == 7 && !test::writable(seven)));
    BOOST_TEST(pool->books_are_closed());
    const int* const other = pool->make<int>(8).value();
    BOOST_TEST(number(other) / 4096 == number(seven) / 4096); // the same area goes on serving
    struct with_address { // which a copy of its bytes would not get right
        with_address() : self(this) {}
        with_address(const with_address&) : self(this) {}
        with_address& operator=(const with_address&) = default;
        with_address* self;
    };
    check_fails(pool->make<with_address>(), {errc::not_supported});
    BOOST_TEST(pool->publish(other, 9).has_value());
    BOOST_TEST(*other == 9);
    BOOST_TEST(pool->free(seven).has_value());
    BOOST_TEST(pool->statistics().dead_blocks == 2u); // and the one that could not be made
    BOOST_TEST(pool->make<int>(1).value() != seven);
    BOOST_TEST(pool->make_read_only().value() == strength::sealed);
    check_fails(pool->assign(other, 1), {errc::is_protected});
    check_fails(pool->alloc(8), {errc::is_protected});
}

BOOST_AUTO_TEST_CASE(each_strength_is_reached_or_told) {
    for (const strength wanted : {strength::read_only, strength::sealed, strength::permanent}) {
        const auto pool = made({.wanted = wanted, .insistence = demand::best_effort});
        const int* const seven = pool->make<int>(7).value();
        const strength got = pool->protect().value();
        BOOST_TEST(got <= wanted);
        BOOST_TEST(got == pool->achieved());
        BOOST_TEST(got == pool->protect().value());
        BOOST_TEST((*seven == 7 && !test::writable(seven)));
    }
    const auto keyed_pool = made({.wanted = strength::guarded, .insistence = demand::best_effort});
    BOOST_TEST(keyed_pool->alloc(8).has_value());
    BOOST_TEST(keyed_pool->protect().value() <= strength::read_only);
}

BOOST_AUTO_TEST_CASE(an_empty_pool_can_be_protected) {
    const auto pool = made({.protects_once = true});
    BOOST_TEST(pool->protect().value() == strength::none);
    BOOST_TEST(pool->state() == pmalloc_state::is_protected);
    check_fails(pool->alloc(8), {errc::is_protected});
}

// Keys are where this machine may have none: the simulated backing has them.
using any_protection = one_of<sealed, read_only, permanent, write_rare, keyed>;
using simulated = basic_pmalloc<any_protection, fake_demand_paged>;

BOOST_AUTO_TEST_CASE(with_keys_the_second_view_stands_behind_a_lock) {
    fake_space space;
    const auto pool = simulated::create({.name = "keys", .mode = pmalloc_mode::wr}, write_rare{},
                                        fake_demand_paged(space))
                          .value();
    const address block = pool->allocate(64).value();
    BOOST_TEST(pool->protect().value() == strength::guarded);
    BOOST_TEST(space.write_faults(block));
    address alias = 0;
    {
        auto window = pool->open_window({block, 64}).value();
        alias = window.writable().base;
        BOOST_TEST(space.content_at(alias) == space.content_at(block));
        BOOST_TEST(!space.write_faults(alias));
        auto inner = pool->open_window({block, 8}).value();
        BOOST_TEST(inner.close().has_value());
        BOOST_TEST(!space.write_faults(alias)); // it was open before: the outer one closes it
    }
    BOOST_TEST((space.write_faults(alias) && space.read_faults(alias)));
    BOOST_TEST(pool->make_read_only().value() == strength::sealed);
    BOOST_TEST(!space.is_mapped(alias));
}

BOOST_AUTO_TEST_CASE(without_keys_what_requires_them_fails_and_the_rest_steps_down) {
    for (const demand insistence : {demand::required, demand::best_effort}) {
        fake_space space;
        space.script.fail_nth(backing_call::lock, 1, {errc::not_supported});
        const auto pool =
            simulated::create({.name = "keys"}, keyed(insistence), fake_demand_paged(space))
                .value();
        const address block = pool->allocate(64).value();
        const auto got = pool->protect();
        BOOST_TEST(got.has_value() == (insistence == demand::best_effort));
        BOOST_TEST(space.write_faults(block) == got.has_value());
        if (got)
            BOOST_TEST(*got == strength::read_only);
        else
            check_fails(got, {errc::not_supported});
    }
}

BOOST_AUTO_TEST_CASE(a_keyed_pool_opens_to_one_thread) {
    fake_space space;
    const auto pool =
        simulated::create({.name = "keys"}, keyed{}, fake_demand_paged(space)).value();
    const address block = pool->allocate(64).value();
    BOOST_TEST(pool->protect().value() == strength::guarded);
    BOOST_TEST((space.write_faults(block) && !space.read_faults(block)));
    {
        const auto window = pool->open_window({block, 64}).value();
        BOOST_TEST(window.writable().base == block);
        BOOST_TEST(!space.write_faults(block));
        pool->admit_this_thread(); // it is admitted, and to more than reading
        BOOST_TEST(!space.write_faults(block));
    }
    BOOST_TEST(space.write_faults(block));
    pool->admit_this_thread();
    BOOST_TEST((space.write_faults(block) && !space.read_faults(block)));
}

BOOST_AUTO_TEST_SUITE_END()
