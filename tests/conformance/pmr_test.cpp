// SPDX-License-Identifier: MIT
// Every pool that can serve containers, as a std::pmr::memory_resource: containers over it do what
// they do over the heap.
#include <palloc/bridges/memory_resource.hpp>

#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "models/pools.hpp"
#include "support/check.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

template <class Rig>
struct serves_containers : std::bool_constant<pool_can_serve_containers<typename Rig::pool_type> &&
                                              test::is_general<typename Rig::algorithm_type>> {};
using models = boost::mp11::mp_copy_if<test::pool_models, serves_containers>;

constexpr std::uint64_t chunk_bytes = 4 << 20;

/// A pool with room, and the resource over it.
template <class Rig>
struct served {
    served() { test::require(rig.add_chunk(chunk_bytes).has_value()); }

    Rig rig{{.growth = growth_policy::refill(chunk_bytes)}};
    pool_resource<typename Rig::pool_type> resource{rig.pool};
};

/// Containers of several shapes, and something that a program might do with them.
struct containers {
    explicit containers(std::pmr::memory_resource* from)
        : words(from), numbers(from), by_name(from), queue(from), rows(from), counts(from) {}

    void step(test::random_source& random) {
        const std::uint64_t number = random.below(10'000);
        const std::pmr::string text(random.below(90), static_cast<char>('a' + number % 26),
                                    words.get_allocator());
        switch (random.below(8)) {
        case 0:
            words.push_back(text);
            break;
        case 1:
            numbers.insert(numbers.begin() +
                               static_cast<std::ptrdiff_t>(random.below(numbers.size() + 1)),
                           number);
            break;
        case 2:
            by_name[text] = number;
            break;
        case 3:
            queue.push_back(text);
            if (queue.size() > 50)
                queue.pop_front();
            break;
        case 4:
            rows.emplace_back(number % 300, static_cast<std::uint16_t>(number));
            break;
        case 5:
            ++counts[number % 500];
            break;
        case 6:
            if (!by_name.empty())
                by_name.erase(by_name.begin());
            if (!rows.empty())
                rows.pop_front();
            break;
        default:
            if (number % 10 == 0)
                words.clear(), words.shrink_to_fit();
            if (number % 50 == 0)
                numbers = decltype(numbers)(numbers.get_allocator());
            break;
        }
    }

    friend bool operator==(const containers& a, const containers& b) {
        return a.words == b.words && a.numbers == b.numbers && a.by_name == b.by_name &&
               a.queue == b.queue && a.rows == b.rows && a.counts == b.counts;
    }

    std::pmr::vector<std::pmr::string> words;
    std::pmr::vector<std::uint64_t> numbers;
    std::pmr::map<std::pmr::string, std::uint64_t> by_name;
    std::pmr::deque<std::pmr::string> queue;
    std::pmr::list<std::pmr::vector<std::uint16_t>> rows;
    std::pmr::unordered_map<std::uint64_t, int> counts;
};

} // namespace

BOOST_AUTO_TEST_SUITE(pmr_over_every_pool)

BOOST_AUTO_TEST_CASE_TEMPLATE(containers_do_what_they_do_over_the_heap, Rig, models) {
    served<Rig> it;
    test::random_source random;
    test::random_source same_random;
    {
        containers here(&it.resource);
        containers there(std::pmr::new_delete_resource());
        for (int step = 0; step != 5'000; ++step) {
            here.step(random);
            there.step(same_random);
            if (step % 500 == 0)
                test::check(here == there);
        }
        test::check(here == there);
        test::check(it.rig.pool.used_bytes() != 0);
    }
    test::check(it.rig.pool.used_bytes() == 0);
    test::check(it.rig.mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(other_resources_can_stand_on_it, Rig, models) {
    served<Rig> it;
    test::random_source random;
    {
        std::pmr::unsynchronized_pool_resource pooled(&it.resource);
        std::pmr::monotonic_buffer_resource piled(&it.resource);
        containers first(&pooled);
        containers second(&piled);
        for (int step = 0; step != 1'000; ++step) {
            first.step(random);
            second.step(random);
        }
    }
    test::check(it.rig.pool.used_bytes() == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(alignment_is_honoured_up_to_the_chunk, Rig, models) {
    served<Rig> it;
    // A pool that maps chunks maps one whose base will do.
    const std::size_t largest = backing_can_map<typename Rig::backing_type> ? chunk_bytes : 4'096;
    for (std::size_t alignment = 1; alignment <= largest; alignment *= 2)
        for (const std::size_t bytes : {std::size_t{1}, std::size_t{100}}) {
            void* const block = it.resource.allocate(bytes, alignment);
            test::check(reinterpret_cast<std::uintptr_t>(block) % alignment == 0);
            it.resource.deallocate(block, bytes, alignment);
        }
    test::check(it.rig.pool.used_bytes() == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_has_an_address_too, Rig, models) {
    served<Rig> it;
    void* const one = it.resource.allocate(0);
    void* const other = it.resource.allocate(0);
    test::check(one != nullptr && other != nullptr && one != other);
    it.resource.deallocate(one, 0);
    it.resource.deallocate(other, 0);
    test::check(it.rig.pool.used_bytes() == 0 && it.rig.mistakes.seen.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(throws_when_there_is_no_room_and_goes_on, Rig, models) {
    Rig rig;
    test::require(rig.add_chunk(100'000).has_value());
    pool_resource resource(rig.pool);
    std::vector<void*> blocks;
    BOOST_CHECK_THROW(while (true) blocks.push_back(resource.allocate(1'000)), std::bad_alloc);
    const volatile std::size_t absurd = ~std::size_t{0}; // or the compiler sees through it
    BOOST_CHECK_THROW((void)resource.allocate(absurd), std::bad_alloc);
    test::check(blocks.size() >= 40);
    for (void* const block : blocks)
        resource.deallocate(block, 1'000);
    resource.deallocate(resource.allocate(50'000), 50'000);
    test::check(rig.pool.used_bytes() == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(resources_are_equal_over_one_pool, Rig, models) {
    served<Rig> it;
    served<Rig> other;
    pool_resource second(it.rig.pool);
    const std::pmr::memory_resource& first = it.resource;
    test::check(first == second && first == first);
    test::check(first != other.resource && first != *std::pmr::new_delete_resource());
    test::check(&second.pool() == &it.rig.pool);

    std::pmr::vector<int> from({1, 2, 3}, &it.resource);
    const int* const data = from.data();
    const std::pmr::vector<int> taken(std::move(from), &second);
    test::check(taken.data() == data); // what one gave, the other takes back
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_wrong_size_is_the_pools_misuse, Rig, models) {
    served<Rig> it;
    void* const block = it.resource.allocate(1'000);
    if constexpr (bitmap_knows_blocks<typename Rig::bitmap_type>) {
        it.resource.deallocate(block, 100);
        test::require(it.rig.mistakes.seen.size() == 1);
        test::check(it.rig.mistakes.seen.front().what == errc::wrong_size);
    }
    it.resource.deallocate(static_cast<std::byte*>(block) + 1, 1'000);
    test::check(it.rig.mistakes.seen.back().what == errc::not_a_block);
    it.resource.deallocate(block, 1'000);
    test::check(it.rig.pool.used_bytes() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
