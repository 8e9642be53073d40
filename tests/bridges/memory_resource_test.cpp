// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/compositions/fallback.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/magazine.hpp>
#include <palloc/compositions/magazine_rack.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/compositions/presets.hpp>
#include <palloc/compositions/segregator.hpp>
#include <palloc/compositions/size_classes.hpp>
#include <palloc/compositions/thread_cache.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory_resource>
#include <new>
#include <string>
#include <unordered_map>

#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

using heap = pool<static_granule<64>, native_memory, boundary<indexed>, first_fit, unprotected>;
using numbers = pool<static_granule<64>, fake, indexed, first_fit, unprotected>;

/// A protection that requests have something to say about.
struct wishful : unprotected {
    using attributes = bool;
    template <backing_provider Backing>
    result<void> open_area(Backing&, typename Backing::region&, area_state&,
                           const attributes&) noexcept {
        return {};
    }
    static bool admits(const area_state&, const attributes&) noexcept { return true; }
};
using with_wishes = pool<static_granule<64>, native_memory, indexed, first_fit, wishful>;

static_assert(pool_can_serve_containers<heap> && pool_can_serve_containers<locked<heap>>);
static_assert(!pool_can_serve_containers<numbers>);
static_assert(touchable_allocator<with_wishes> && !pool_can_serve_containers<with_wishes>);
static_assert(!pool_can_serve_containers<locked<with_wishes>>);

struct scene {
    test::misuse_log mistakes;
    heap pool{pool_options{.growth = growth_policy::refill(1 << 16),
                           .cap_bytes = 1 << 20,
                           .on_misuse = mistakes.policy()}};
    pool_resource<heap> resource{pool};
};

} // namespace

BOOST_AUTO_TEST_SUITE(resource)

BOOST_AUTO_TEST_CASE(containers_live_in_it) {
    scene it;
    {
        std::pmr::unordered_map<std::pmr::string, std::pmr::list<int>> index(&it.resource);
        for (int i = 0; i != 500; ++i)
            index["a key that is too long to lie in the string " +
                  std::pmr::string(std::to_string(i % 50))]
                .push_back(i);
        BOOST_TEST(index.size() == 50u);
        BOOST_TEST(it.pool.used_bytes() > 0u);
    }
    BOOST_TEST(it.pool.used_bytes() == 0u);
    BOOST_TEST(it.mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(alignment_is_honoured) {
    scene it;
    for (std::size_t alignment = 1; alignment <= 1 << 16; alignment *= 2) {
        void* const block = it.resource.allocate(10, alignment);
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(block) % alignment == 0u);
        it.resource.deallocate(block, 10, alignment);
    }
    BOOST_TEST(it.pool.used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(nothing_has_an_address_too) {
    scene it;
    void* const first = it.resource.allocate(0);
    void* const second = it.resource.allocate(0);
    BOOST_TEST(first != nullptr);
    BOOST_TEST(first != second);
    it.resource.deallocate(first, 0);
    it.resource.deallocate(second, 0);
    BOOST_TEST(it.pool.used_bytes() == 0u);
    BOOST_TEST(it.mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE(lack_of_room_is_bad_alloc) {
    scene it;
    BOOST_CHECK_THROW((void)it.resource.allocate(1 << 21), std::bad_alloc);
    const volatile std::size_t most = ~std::size_t{0}; // the compiler would refuse a constant
    BOOST_CHECK_THROW((void)it.resource.allocate(most), std::bad_alloc);
}

BOOST_AUTO_TEST_CASE(a_wrong_size_is_the_pool_s_misuse) {
    scene it;
    void* const block = it.resource.allocate(100);
    it.resource.deallocate(block, 200);
    BOOST_TEST(it.mistakes.seen.size() == 1u);
    BOOST_TEST((it.mistakes.seen.at(0).what == errc::wrong_size));
    it.resource.deallocate(block, 100);
    BOOST_TEST(it.pool.used_bytes() == 0u);
}

// Through a bridge, and through compositions that do not ask the pool at each call.
template <class Pool>
void refuses_a_wrong_alignment(Pool& pool, const test::misuse_log& mistakes) {
    pool_resource resource(pool);
    const std::size_t before = mistakes.seen.size();
    void* const all = resource.allocate(256, 16);
    auto* const aligned = static_cast<std::byte*>(all);
    std::size_t wrong = 32; // the least power of two that the address is no multiple of
    while (reinterpret_cast<std::uintptr_t>(all) % wrong == 0)
        wrong *= 2;
    for (const std::size_t alignment : {std::size_t{0}, std::size_t{3}, wrong})
        resource.deallocate(all, 256, alignment);
    BOOST_TEST_REQUIRE(mistakes.seen.size() == before + 3);
    for (std::size_t i = before; i != before + 3; ++i) {
        BOOST_TEST((mistakes.seen[i].what == errc::bad_alignment));
        BOOST_TEST((mistakes.seen[i].where.base == reinterpret_cast<std::uintptr_t>(all)));
    }
    resource.deallocate(aligned + 1, 256, 8); // not even kept for later
    BOOST_TEST(mistakes.seen.size() == before + 4);
    resource.deallocate(all, 256, 16);
    BOOST_TEST(mistakes.seen.size() == before + 4);
}

BOOST_AUTO_TEST_CASE(a_wrong_alignment_is_the_pool_s_misuse) {
    scene it;
    refuses_a_wrong_alignment(it.pool, it.mistakes);
    BOOST_TEST(it.pool.used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE(compositions_pass_a_wrong_alignment_on) {
    test::misuse_log mistakes;
    const pool_options options{.growth = growth_policy::refill(1 << 16),
                               .on_misuse = mistakes.policy()};
    const auto check = [&](auto&& pool) { refuses_a_wrong_alignment(pool, mistakes); };
    check(locked<heap>(options));
    check(magazine<heap>(layout{256, 64}, options));
    check(magazine_rack<heap>(options));
    check(thread_cache<locked<heap>>(options));
    const auto make = [&] { return heap(options); };
    check(fallback<heap, heap>(make, make));
    check(segregator<~0UL, heap, heap>(make, make)); // whatever the alignment, the same part
    check(size_classes<heap>(options));
    check(general_purpose(options));
    check(general_purpose_shared(options));
}

BOOST_AUTO_TEST_CASE(equality_is_that_of_the_pools) {
    scene it;
    scene other;
    const pool_resource same(it.pool);
    BOOST_TEST((it.resource == same));
    BOOST_TEST(!(it.resource == other.resource));
    BOOST_TEST(!(it.resource == *std::pmr::new_delete_resource()));
    BOOST_TEST(&it.resource.pool() == &it.pool);
}

BOOST_AUTO_TEST_SUITE_END()
