// SPDX-License-Identifier: MIT
// What a vector gives up is an input range: through views and algorithms, and left half-way.
#include <palloc/kalloc/vec.hpp>
#include <palloc/kalloc/vec_iterators.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <forward_list>
#include <iterator>
#include <memory>
#include <ranges>
#include <sstream>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/ledger.hpp"
#include "support/tracked.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;

namespace {

using pointer = std::unique_ptr<int>;
using own = vec<pointer, ledger_ref>;

own numbered(ledger& memory, int count) {
    own made{ledger_ref(memory)};
    for (int i = 0; i != count; ++i)
        BOOST_TEST_REQUIRE(made.push(std::make_unique<int>(i), flags::kernel).has_value());
    return made;
}

template <class Range>
std::vector<int> values(Range&& all) {
    std::vector<int> seen;
    for (auto&& each : all)
        seen.push_back(*each);
    return seen;
}

bool is_odd(const pointer& each) {
    return *each % 2 == 1;
}

} // namespace

BOOST_AUTO_TEST_SUITE(walks)

BOOST_AUTO_TEST_CASE(they_are_input_ranges_of_rvalues) {
    using walk = vec_into_iter<pointer, ledger_ref>;
    static_assert(std::ranges::input_range<walk> && std::ranges::sized_range<walk>);
    static_assert(std::is_same_v<std::ranges::range_reference_t<walk>, pointer&&>);
    static_assert(std::movable<walk> && std::ranges::viewable_range<walk>);
    ledger memory;
    int sum = 0;
    for (pointer each : numbered(memory, 5).into_iter()) // taken over by the body
        sum += *each;
    BOOST_TEST(sum == 10);
}

BOOST_AUTO_TEST_CASE(views_skip_and_choose) {
    ledger memory;
    BOOST_TEST(
        (values(numbered(memory, 6).into_iter() | std::views::drop(4)) == std::vector{4, 5}));
    BOOST_TEST((values(numbered(memory, 6).into_iter() | std::views::filter(is_odd)) ==
                std::vector{1, 3, 5}));
    BOOST_TEST(
        (values(numbered(memory, 6).into_iter() | std::views::take(2)) == std::vector{0, 1}));
    auto squares = numbered(memory, 3).into_iter() |
                   std::views::transform([](pointer&& each) { return *each * *each; });
    auto collected = vec<int, ledger_ref>::collect(squares, flags::kernel, ledger_ref(memory));
    BOOST_TEST((*collected == std::vector{0, 1, 4}));
    auto odd = numbered(memory, 6).into_iter() | std::views::filter(is_odd);
    BOOST_TEST(
        (values(*own::collect(odd, flags::kernel, ledger_ref(memory))) == std::vector{1, 3, 5}));
}

BOOST_AUTO_TEST_CASE(what_was_looked_at_is_taken_and_the_rest_is_there) {
    ledger memory;
    auto walk = numbered(memory, 6).into_iter();
    auto found = std::ranges::find_if(walk, [](const pointer& each) { return *each == 2; });
    BOOST_TEST((found != walk.end() && **found == 2));
    BOOST_TEST((walk.size() == 3u && *walk.span().front() == 3));
    const pointer kept = *found;
    BOOST_TEST(*walk.next().value() == 3);
    for (pointer each : walk)
        if (*each == 4)
            break;
    const auto rest = std::move(walk).collect(flags::kernel);
    BOOST_TEST((values(rest.span()) == std::vector{5} && *kept == 2));
}

BOOST_AUTO_TEST_CASE(draining_goes_the_same_way_and_ends_everything) {
    ledger memory;
    test::population all;
    vec<test::tracked<false>, ledger_ref> it{ledger_ref(memory)};
    for (int i = 0; i != 6; ++i)
        BOOST_TEST(it.emplace(flags::kernel, all, i).has_value());
    {
        auto gone = it.drain_all();
        const auto found =
            std::ranges::find_if(gone, [](const auto& each) { return each.value() == 3; });
        BOOST_TEST(((*found).value() == 3 && gone.size() == 2u && all.live == 3));
    }
    BOOST_TEST(all.live == 0);
}

BOOST_AUTO_TEST_CASE(a_walk_that_is_assigned_ends_what_it_had) {
    ledger memory;
    test::population all;
    const auto walk_of = [&](int count) {
        vec<test::tracked<false>, ledger_ref> it{ledger_ref(memory)};
        for (int i = 0; i != count; ++i)
            BOOST_TEST(it.emplace(flags::kernel, all, i).has_value());
        return std::move(it).into_iter();
    };
    auto walk = walk_of(5);
    BOOST_TEST(walk.next().has_value());
    BOOST_TEST(all.live == 4);
    walk = walk_of(3);
    BOOST_TEST((walk.size() == 3u && all.live == 3 && memory.live() == 1u));
    BOOST_TEST(walk.next()->value() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_appended_without_memory_is_not_moved_away) {
    ledger memory;
    std::forward_list<pointer> given; // whose size nobody knows, but which can be counted
    for (int i = 3; i-- != 0;)
        given.push_front(std::make_unique<int>(i));
    const auto rvalues =
        given | std::views::transform([](pointer& each) -> pointer&& { return std::move(each); });
    static_assert(std::ranges::forward_range<decltype(rvalues)> &&
                  !std::ranges::sized_range<decltype(rvalues)>);
    own it{ledger_ref(memory)};
    memory.fail_nth(1);
    BOOST_TEST((it.extend(rvalues, flags::kernel).error().code == errc::out_of_memory));
    BOOST_TEST((it.empty() && values(given) == std::vector{0, 1, 2}));
    const auto calls = memory.calls();
    BOOST_TEST(it.extend(rvalues, flags::kernel).has_value());
    BOOST_TEST((values(it.span()) == std::vector{0, 1, 2} && memory.calls() == calls + 1));
}

BOOST_AUTO_TEST_CASE(of_one_pass_without_a_size_the_vector_keeps_what_it_had) {
    for (std::uint64_t n = 1;; ++n) {
        ledger memory;
        vec<int, ledger_ref> it{ledger_ref(memory)};
        BOOST_TEST_REQUIRE(it.push(7, flags::kernel).has_value());
        std::istringstream text("1 2 3 4 5");
        memory.fail_nth(n);
        const auto done = it.extend(std::ranges::istream_view<int>(text), flags::kernel);
        if (done) {
            BOOST_TEST((it == std::vector{7, 1, 2, 3, 4, 5} && n > 1));
            break;
        }
        BOOST_TEST((it == std::vector{7}));
    }
}

BOOST_AUTO_TEST_CASE(a_list_may_be_of_what_is_only_moved) {
    ledger memory;
    const auto it = own::of({std::make_unique<int>(4), std::make_unique<int>(5)}, flags::kernel,
                            ledger_ref(memory));
    BOOST_TEST((values(it->span()) == std::vector{4, 5} && it->capacity() == 2u));
}

BOOST_AUTO_TEST_SUITE_END()
