// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/bridges/allocator.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <new>
#include <numeric>
#include <vector>

#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

using heap = pool<static_granule<16>, native_memory, boundary<indexed>, first_fit, unprotected>;
template <class T>
using own = pool_allocator<T, heap>;

struct scene {
    test::misuse_log mistakes;
    heap pool{pool_options{.growth = growth_policy::refill(1 << 16),
                           .cap_bytes = 1 << 20,
                           .on_misuse = mistakes.policy()}};
    ~scene() {
        BOOST_TEST(pool.used_bytes() == 0u);
        BOOST_TEST(mistakes.seen.empty());
    }
};

struct alignas(256) wide {
    std::byte content[256];
};

} // namespace

BOOST_AUTO_TEST_SUITE(standard_allocator)

BOOST_AUTO_TEST_CASE(containers_live_in_the_pool) {
    scene it;
    std::vector<int, own<int>> numbers(own<int>(it.pool));
    for (int i = 0; i != 1000; ++i)
        numbers.push_back(i);
    BOOST_TEST(std::accumulate(numbers.begin(), numbers.end(), 0) == 499'500);
    BOOST_TEST(it.pool.owns(reinterpret_cast<std::uintptr_t>(numbers.data())));
    using entry = std::pair<const int, int>;
    std::map<int, int, std::less<>, own<entry>> squares{own<entry>(it.pool)};
    for (int i = 0; i != 100; ++i)
        squares[i] = i * i;
    BOOST_TEST(squares.at(9) == 81);
    const auto shared = std::allocate_shared<int>(own<int>(it.pool), 7);
    BOOST_TEST(*shared == 7);
}

BOOST_AUTO_TEST_CASE(objects_are_aligned) {
    scene it;
    own<wide> allocator(it.pool);
    wide* const object = allocator.allocate(1);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(object) % 256 == 0u);
    allocator.deallocate(object, 1);
}

BOOST_AUTO_TEST_CASE(no_objects_have_an_address_too) {
    scene it;
    own<int> allocator(it.pool);
    int* const nothing = allocator.allocate(0);
    BOOST_TEST(nothing != nullptr);
    allocator.deallocate(nothing, 0);
}

BOOST_AUTO_TEST_CASE(too_much_is_refused_in_the_standard_s_way) {
    scene it;
    own<wide> allocator(it.pool);
    BOOST_CHECK_THROW((void)allocator.allocate(~std::size_t{0} / 2), std::bad_array_new_length);
    BOOST_CHECK_THROW((void)allocator.allocate(1 << 13), std::bad_alloc);
}

BOOST_AUTO_TEST_CASE(allocators_of_one_pool_are_equal_whatever_their_type) {
    scene it;
    scene other;
    const own<int> ints(it.pool);
    const own<wide> wides(ints);
    BOOST_TEST((ints == wides));
    BOOST_TEST((ints != own<int>(other.pool)));
    BOOST_TEST(&wides.pool() == &it.pool);
}

BOOST_AUTO_TEST_SUITE_END()
