// SPDX-License-Identifier: MIT
// explain() says before what allocate() answers then.
#include <palloc/algorithms/buddy.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/algorithms/next_fit.hpp>
#include <palloc/backings/failing.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/limited.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

using namespace palloc;

namespace {

constexpr std::uint64_t page = 4096;
using small_pool =
    pool<static_granule<64>, fake_demand_paged, boundary<flat>, first_fit, unprotected>;
template <class Algorithm, class Bitmap = flat, class Backing = fake_demand_paged>
using pool_by = pool<static_granule<64>, Backing, Bitmap, Algorithm, unprotected>;

fake_demand_paged::adoption at(address base, std::uint64_t bytes) {
    return {.where = {base, bytes}};
}

/// What is said before, and what happens then.
void check_agree(auto& pool, std::uint64_t bytes, errc expected) {
    const explanation told = pool.explain({.bytes = bytes});
    const auto got = pool.allocate(bytes);
    BOOST_TEST((told.why == expected), to_string(told.why));
    BOOST_TEST(((got ? errc{} : got.error().code) == expected));
}

} // namespace

BOOST_AUTO_TEST_SUITE(explaining)

BOOST_AUTO_TEST_CASE(explains_what_is_lacking) {
    fake_space space;
    small_pool pool({.cap_bytes = 2 * page}, {}, fake_demand_paged(space));
    BOOST_TEST((pool.explain({.bytes = 1}).why == errc::out_of_memory));
    BOOST_TEST(pool.grow(page).has_value());
    std::vector<address> blocks;
    while (const auto block = pool.allocate(64))
        blocks.push_back(*block);
    for (std::size_t i = 0; i < blocks.size(); i += 2)
        BOOST_TEST(pool.deallocate(blocks[i]).has_value());

    const auto torn = pool.explain({.bytes = 100});
    BOOST_TEST((torn.why == errc::out_of_memory));
    BOOST_TEST((torn.cause == event::shortage::fragmented));
    BOOST_TEST(torn.free_bytes == page / 2);
    BOOST_TEST(torn.largest_run_bytes == 64u);
    BOOST_TEST(torn.missing_bytes == 64u);
    BOOST_TEST(pool.fragmentation() == 1.0 - 64.0 / 2048.0);

    const auto full = pool.explain({.bytes = page});
    BOOST_TEST((full.cause == event::shortage::full));
    BOOST_TEST(full.missing_bytes == page / 2);
    BOOST_TEST(pool.explain({.bytes = 64}).possible());
    BOOST_TEST((pool.explain({.bytes = 64, .alignment = 3}).why == errc::bad_alignment));
    BOOST_TEST((pool.grow(2 * page).error().code == errc::over_limit));
    pool.reset();
    BOOST_TEST(pool.fragmentation() == 0.0);
}

BOOST_AUTO_TEST_CASE(explains_how_much_the_cap_lacks) {
    fake_space space;
    small_pool pool({.growth = growth_policy::refill(page), .cap_bytes = 3 * page}, {},
                    fake_demand_paged(space));
    BOOST_TEST(pool.allocate(2 * page).has_value());
    BOOST_TEST(pool.explain({.bytes = page}).possible());
    const auto capped = pool.explain({.bytes = 2 * page});
    BOOST_TEST((capped.why == errc::over_limit));
    BOOST_TEST(capped.cap_left_bytes == page);
    BOOST_TEST(capped.missing_bytes == page);
    BOOST_TEST((pool.allocate(2 * page).error().code == errc::over_limit));
    pool.reset();
}

BOOST_AUTO_TEST_CASE(explains_how_much_the_backing_lacks) {
    fake_space space;
    limited capped(fake_demand_paged(space), 3 * page + page / 2);
    fault_script none;
    const auto check = [](auto& pool) {
        BOOST_TEST(pool.allocate(2 * page).has_value());
        const explanation told = pool.explain({.bytes = page + 1});
        BOOST_TEST(told.cap_left_bytes == page + page / 2);
        BOOST_TEST((told.cause == event::shortage::full));
        check_agree(pool, page + 1, errc::over_limit); // two pages
        BOOST_TEST(pool.explain({.bytes = 2 * page}).missing_bytes == page / 2);
        check_agree(pool, page, errc{});
        pool.reset();
    };
    const pool_options growing{.growth = growth_policy::refill(page)};
    pool_by<first_fit, flat, decltype(capped)> direct(growing, {}, capped);
    check(direct);
    using behind = failing<decltype(capped)>;
    pool_by<first_fit, flat, behind> wrapped(growing, {}, behind(capped, none));
    check(wrapped);
    using twice = limited<decltype(capped)>;
    pool_by<first_fit, flat, twice> nested(growing, {}, twice(capped, ~std::uint64_t{0}));
    check(nested);
    BOOST_TEST(twice(capped, page).left_bytes() == page);
}

BOOST_AUTO_TEST_CASE(asks_the_algorithm_that_would_place) {
    fake_space space;
    pool_by<buddy> paired({}, {}, fake_demand_paged(space));
    BOOST_TEST(paired.add(at(0x10000, 7 * 64)).has_value());
    const explanation odd = paired.explain({.bytes = 5 * 64});
    BOOST_TEST((odd.cause == event::shortage::fragmented));
    BOOST_TEST(odd.largest_run_bytes == 7 * 64u);
    BOOST_TEST(odd.missing_bytes == 64u); // 4 granules it would place
    check_agree(paired, 5 * 64, errc::out_of_memory);
    check_agree(paired, 4 * 64, errc{});
    paired.reset();

    pool_by<fixed> registers({}, {}, fake_demand_paged(space), fixed(128));
    BOOST_TEST(registers.add(at(0x20000, page)).has_value());
    check_agree(registers, 64, errc{});
    check_agree(registers, 64, errc::out_of_memory);
    registers.reset();

    pool_by<next_fit> roving({}, {}, fake_demand_paged(space));
    BOOST_TEST(roving.add(at(0x30000, page)).has_value());
    BOOST_TEST(roving.explain({.bytes = 64}).possible());
    BOOST_TEST(roving.allocate(64).value() == 0x30000u); // the question did not move it on
    roving.reset();
}

BOOST_AUTO_TEST_CASE(an_algorithm_that_cannot_be_copied_is_not_asked) {
    struct counting {
        std::unique_ptr<int> asked = std::make_unique<int>(0);
        std::optional<std::size_t> operator()(const flat& map, const placement& q) {
            ++*asked;
            return map.find_fit(q);
        }
    };
    fake_space space;
    pool_by<counting> pool({}, {}, fake_demand_paged(space));
    BOOST_TEST(pool.add(at(0x10000, page)).has_value());
    BOOST_TEST(pool.explain({.bytes = 64}).possible());
    BOOST_TEST(!pool.explain({.bytes = 2 * page}).possible());
    BOOST_TEST(*pool.algorithm().asked == 0);
}

BOOST_AUTO_TEST_CASE(a_wrong_algorithm_is_found_out) {
    fake_space space;
    constexpr auto always_the_first = [](const flat&, const placement&) {
        return std::optional<std::size_t>(0);
    };
    pool_by<decltype(always_the_first)> pool({.on_misuse = {count_misuse}}, {},
                                             fake_demand_paged(space));
    BOOST_TEST(pool.add(at(0x10000, page)).has_value());
    check_agree(pool, 64, errc{});
    check_agree(pool, 64, errc::bad_placement);
    pool.reset();
}

BOOST_AUTO_TEST_CASE(foresees_a_chunk_that_does_not_serve) {
    fake_space space;
    const pool_options growing{.growth = growth_policy::refill(page), .cap_bytes = 64 * page};
    pool_by<fixed> near({growing}, {}, fake_demand_paged(space), fixed(page - 64));
    check_agree(near, 64, errc{});
    check_agree(near, 128, errc::out_of_memory);
    near.reset();
    pool_by<fixed> far({growing}, {}, fake_demand_paged(space), fixed(page));
    check_agree(far, 64, errc::out_of_memory);
    pool_by<buddy> paired({growing}, {}, fake_demand_paged(space));
    check_agree(paired, 3 * page, errc::out_of_memory);
    check_agree(paired, 4 * page, errc{});
    paired.reset();
}

BOOST_AUTO_TEST_CASE(tells_what_alignment_and_range_lack) {
    fake_space space;
    small_pool pool({}, {}, fake_demand_paged(space));
    BOOST_TEST(pool.add(at(0x10000 - 64, page)).has_value()); // aligned from its second granule on
    BOOST_TEST(pool.explain({.bytes = page}).possible());
    const explanation aligned = pool.explain({.bytes = page, .alignment = page});
    BOOST_TEST((aligned.why == errc::out_of_memory));
    BOOST_TEST((aligned.cause == event::shortage::fragmented));
    BOOST_TEST(aligned.missing_bytes == 64u);
    BOOST_TEST(pool.explain({.bytes = page - 64, .alignment = page}).possible());
    const explanation near = pool.explain({.bytes = 256, .within = {0x10000, 192}});
    BOOST_TEST(near.missing_bytes == 64u);
    const explanation nowhere = pool.explain({.bytes = 256, .within = {0, 192}});
    BOOST_TEST((nowhere.why == errc::out_of_memory));
    BOOST_TEST(nowhere.missing_bytes == 256u);
}

BOOST_AUTO_TEST_CASE(a_chunk_out_of_use_serves_again) {
    fake_space space;
    pool_by<first_fit, atomic> pool({}, {}, fake_demand_paged(space));
    BOOST_TEST(pool.add(at(0x10000, page)).has_value());
    BOOST_TEST(pool.drain_empty_chunks() == page);
    BOOST_TEST(!pool.explain({.bytes = page, .may_map = false}).possible());
    check_agree(pool, page + 1, errc::out_of_memory);
    check_agree(pool, page, errc{});
    pool.reset();
}

BOOST_AUTO_TEST_SUITE_END()
