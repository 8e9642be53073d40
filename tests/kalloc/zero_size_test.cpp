// SPDX-License-Identifier: MIT
// Objects of size 0, an extension that both compilers have and warn of.
#pragma GCC diagnostic ignored "-Wpedantic"

#include <palloc/kalloc/array_layout.hpp>
#include <palloc/kalloc/box.hpp>
#include <palloc/kalloc/pinned_slice.hpp>
#include <palloc/kalloc/vec.hpp>
#include <palloc/kalloc/vec_iterators.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <compare>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <list>
#include <ranges>
#include <utility>

#include "support/ledger.hpp"
#include "support/skip.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;

namespace {

struct nothing {
    int none[0];
};
static_assert(sizeof(nothing) == 0);

template <class T>
using own = vec<T, ledger_ref>;

/// Equal to no other, which is seen only by who compares each.
struct never_equal {
    int none[0];
    friend bool operator==(const never_equal&, const never_equal&) { return false; }
    friend std::partial_ordering operator<=>(const never_equal&, const never_equal&) {
        return std::partial_ordering::unordered;
    }
};
/// Counts itself.
struct counted {
    int none[0];
    static inline int made = 0;
    static inline int live = 0;
    counted() noexcept { ++live, ++made; }
    counted(const counted&) noexcept { ++live, ++made; }
    counted& operator=(const counted&) = default;
    ~counted() { --live; }
};
static_assert(sizeof(never_equal) == 0 && sizeof(counted) == 0);

/// clang's object-size check takes any reference to such an object for one that is out of bounds.
void skip_where_references_are_measured() {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
    test::skip("the sanitizer refuses objects of size 0");
#endif
#endif
}

} // namespace

BOOST_AUTO_TEST_SUITE(size_zero)

BOOST_AUTO_TEST_CASE(elements_of_size_zero_need_no_memory) {
    skip_where_references_are_measured();
    ledger memory;
    own<nothing> it{ledger_ref(memory)};
    BOOST_TEST(it.capacity() == ~std::size_t{0});
    for (int i = 0; i != 1000; ++i)
        BOOST_TEST(it.push(nothing{}, flags::nowait).has_value());
    BOOST_TEST((it.size() == 1000u && it.pop().has_value() && it.size() == 999u));
    BOOST_TEST(it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.reserve(~std::size_t{0}, flags::kernel).error().code == errc::too_large));
    it.retain([n = 0](nothing&) mutable { return n++ % 2 == 0; });
    BOOST_TEST(it.size() == 500u);
    BOOST_TEST((memory.calls() == 0u && memory.live() == 0u));
}

BOOST_AUTO_TEST_CASE(a_vector_s_iterators_tell_them_apart) {
    skip_where_references_are_measured();
    using own = ::own<nothing>;
    static_assert(std::random_access_iterator<own::iterator> &&
                  std::random_access_iterator<own::const_iterator> &&
                  std::convertible_to<own::iterator, own::const_iterator>);
    static_assert(std::same_as<vec<int, ledger_ref>::iterator, int*>);
    ledger memory;
    auto it = *own::from_elem(nothing{}, 1000, flags::kernel, ledger_ref(memory));
    BOOST_TEST((it.end() - it.begin() == 1000 && std::ranges::distance(it) == 1000));
    int walked = 0;
    for (const nothing& each : it)
        walked += &each == it.data();
    BOOST_TEST((walked == 1000 && &*it.begin() == it.data() && &it.begin()[3] == it.data()));
    BOOST_TEST((std::ranges::count_if(it, [](const nothing&) { return true; }) == 1000));
    BOOST_TEST((std::ranges::distance(it | std::views::reverse | std::views::drop(1)) == 999));
    auto at = it.begin();
    BOOST_TEST((at++ == it.begin() && at == it.begin() + 1 && --at == it.begin()));
    BOOST_TEST((2 + at > at && at + 2 - 1 < at + 2 && (at += 5) - it.begin() == 5));
    auto row = *pinned_slice<nothing, ledger_ref>::make(
        7, [](std::size_t) { return nothing{}; }, flags::kernel, ledger_ref(memory));
    BOOST_TEST((row.end() - row.begin() == 7));
}

BOOST_AUTO_TEST_CASE(whatever_makes_a_vector_of_others_counts_them) {
    skip_where_references_are_measured();
    ledger memory;
    const ledger_ref from(memory);
    counted::made = 0;
    {
        auto it = *own<counted>::from_elem(counted(), 100, flags::kernel, from);
        const auto copy = *it.clone(flags::kernel);
        BOOST_TEST((copy.size() == 100u && counted::live == 200));
        BOOST_TEST((own<counted>::collect(it, flags::kernel, from)->size() == 100u));
        BOOST_TEST((it.extend(copy, flags::kernel) && it.size() == 200u));
        BOOST_TEST((it.remove(7).has_value() && it.size() == 199u));
        BOOST_TEST((it.insert_within_capacity(3, counted()).has_value() && it.size() == 200u));
        const std::list<counted> listed(6);
        BOOST_TEST((it.extend(listed, flags::kernel) && it.size() == 206u));
        auto walk = std::move(it).into_iter();
        BOOST_TEST((walk.next().has_value() && walk.size() == 205u));
        auto rest = std::move(walk).collect(flags::kernel);
        int drained = 0;
        for ([[maybe_unused]] auto&& each : rest.drain_all())
            ++drained;
        BOOST_TEST((drained == 205 && rest.empty()));
        BOOST_TEST(counted::live == 100 + 6);
    }
    BOOST_TEST((counted::live == 0 && counted::made > 400));
    BOOST_TEST((memory.calls() == 0u && memory.live() == 0u));
}

BOOST_AUTO_TEST_CASE(those_of_an_array_are_counted_too) {
    skip_where_references_are_measured();
    ledger memory;
    auto it = *own<nothing>::of({{}, {}, {}}, flags::kernel, ledger_ref(memory));
    BOOST_TEST(it.size() == 3u);
    const std::array<nothing, 4> four{};
    const nothing five[5] = {};
    BOOST_TEST((it.extend(four, flags::kernel) && it.size() == 7u));
    BOOST_TEST((it.extend(five, flags::kernel) && it.size() == 12u));
}

BOOST_AUTO_TEST_CASE(each_is_compared) {
    skip_where_references_are_measured();
    ledger memory;
    const ledger_ref from(memory);
    using own = ::own<never_equal>;
    const auto two = *own::of({{}, {}}, flags::kernel, from);
    const auto other = *own::of({{}, {}}, flags::kernel, from);
    const auto three = *own::of({{}, {}, {}}, flags::kernel, from);
    const own none(from);
    BOOST_TEST((two != other && two != three && none == own(from)));
    BOOST_TEST((two <=> other == std::partial_ordering::unordered));
    BOOST_TEST((none <=> two == std::partial_ordering::less));
    BOOST_TEST((none <=> none == std::partial_ordering::equivalent));
}

BOOST_AUTO_TEST_CASE(an_object_of_size_zero_needs_none) {
    skip_where_references_are_measured();
    ledger memory;
    auto it = box<nothing, ledger_ref>::make_in(ledger_ref(memory), flags::nowait);
    BOOST_TEST((it.has_value() && static_cast<bool>(*it)));
    BOOST_TEST((memory.calls() == 0u && memory.live() == 0u));
    auto block = std::move(*it).drop_contents();
    BOOST_TEST(static_cast<bool>(std::move(block).write(nothing{})));
}

BOOST_AUTO_TEST_CASE(any_number_of_them_has_a_layout) {
    BOOST_TEST(array_layout<nothing>::make(~std::size_t{0})->bytes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
