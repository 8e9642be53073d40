// SPDX-License-Identifier: MIT
// Containers with offset pointers that lie in a segment, changed by processes at different bases.
#include <palloc/bridges/shared_allocator.hpp>

#include <boost/container/list.hpp>
#include <boost/container/map.hpp>
#include <boost/container/string.hpp>
#include <boost/container/vector.hpp>
#include <boost/interprocess/offset_ptr.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <functional>
#include <new>
#include <string>
#include <utility>

#include <sys/mman.h>

#include "support/in_child.hpp"

using namespace palloc;

namespace {

template <class T>
using allocator = shared_allocator<boost::interprocess::offset_ptr<T>>;
using text = boost::container::basic_string<char, std::char_traits<char>, allocator<char>>;
using stock_map =
    boost::container::map<int, text, std::less<>, allocator<std::pair<const int, text>>>;

/// What lies in the segment.
struct shop {
    explicit shop(shared_pool<>& pool)
        : stock(allocator<int>(pool)), orders(allocator<int>(pool)), shelf(allocator<int>(pool)) {}
    stock_map stock;
    boost::container::vector<int, allocator<int>> orders;
    boost::container::list<long, allocator<long>> shelf;
};

[[nodiscard]] shop& shop_in(const shared_segment& segment) {
    return *reinterpret_cast<shop*>(segment.at(segment.root(0)));
}

/// Attaches elsewhere than the parent: what is at its base is occupied.
[[nodiscard]] shared_segment attach_elsewhere(int file, address not_here, std::size_t bytes) {
    (void)::mmap(reinterpret_cast<void*>(not_here), bytes, PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return shared_segment::attach(file, 64).value();
}

} // namespace

BOOST_AUTO_TEST_SUITE(shared_allocators)

BOOST_AUTO_TEST_CASE(containers_live_in_two_processes_at_two_bases) {
    constexpr std::uint64_t bytes = 4 << 20;
    auto segment = shared_segment::nameless({.bytes = bytes}).value();
    shared_pool<> pool(segment);
    const std::uint64_t free_before = pool.free_bytes();
    const address place = pool.allocate(sizeof(shop), alignof(shop)).value();
    BOOST_REQUIRE(pool.keep(place, sizeof(shop)).has_value());
    auto* const mine = ::new (reinterpret_cast<void*>(place)) shop(pool);
    segment.root(0) = segment.offset_of(place);
    const std::string longer(100, 'p');
    for (int i = 0; i != 500; ++i) {
        mine->stock.emplace(i, text((longer + std::to_string(i)).c_str(), allocator<char>(pool)));
        mine->orders.push_back(i);
    }

    const address base = segment.base();
    const int file = segment.descriptor();
    BOOST_TEST(test::in_child([&] {
                   auto theirs = attach_elsewhere(file, base, bytes);
                   shared_pool<> own(theirs);
                   shop& seen = shop_in(theirs);
                   if (theirs.base() == base || seen.stock.size() != 500)
                       return 1;
                   for (int i = 0; i != 500; ++i)
                       if (seen.stock.at(i) != (longer + std::to_string(i)).c_str() ||
                           seen.orders[static_cast<std::size_t>(i)] != i)
                           return 2;
                   for (int i = 0; i < 500; i += 2)
                       seen.stock.erase(i); // blocks of the parent
                   for (int i = 500; i != 900; ++i) {
                       seen.stock.emplace(i, text("child", seen.stock.get_allocator()));
                       seen.orders.push_back(i); // reallocated here
                       seen.shelf.push_back(i);
                   }
                   return 0;
               }) == 0);

    BOOST_TEST(pool.own_bytes() == 0u);
    BOOST_TEST((mine->stock.size() == 650u && mine->orders.size() == 900u));
    int wrong = 0;
    for (const auto& [number, name] : mine->stock)
        wrong += name != (number < 500 ? longer + std::to_string(number) : "child").c_str();
    for (int i = 0; i != 900; ++i)
        wrong += mine->orders[static_cast<std::size_t>(i)] != i;
    BOOST_TEST(wrong == 0);
    BOOST_TEST((mine->shelf.size() == 400u && mine->shelf.back() == 899));
    mine->~shop();
    BOOST_TEST(pool.deallocate(place, sizeof(shop)).has_value());
    BOOST_TEST(pool.free_bytes() == free_before);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
    auto segment = shared_segment::nameless({.bytes = 4096}).value();
    shared_pool<> pool(segment);
    allocator<int> from(pool);
    BOOST_CHECK_THROW((void)from.allocate(5000), std::bad_alloc);
    BOOST_CHECK_THROW((void)from.allocate(~std::size_t{0}), std::bad_array_new_length);
    const allocator<long> copy(from);
    BOOST_TEST((copy == from && copy.base() == segment.base() && &copy.pool() == &pool));
    auto block = from.allocate(10);
    BOOST_TEST(pool.kept_bytes() == 64u);
    from.deallocate(block, 10);
    BOOST_TEST(pool.kept_bytes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
