// SPDX-License-Identifier: MIT
// A vector beside a std::vector, over an allocator that checks every layout.
#include <palloc/kalloc/array_layout.hpp>
#include <palloc/kalloc/rejected.hpp>
#include <palloc/kalloc/relocation.hpp>
#include <palloc/kalloc/vec.hpp>
#include <palloc/kalloc/vec_iterators.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <random>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/ledger.hpp"
#include "support/random.hpp"
#include "support/tracked.hpp"

using namespace palloc;

namespace {

using test::ledger;
using test::ledger_ref;
template <class T>
using own = vec<T, ledger_ref>;

struct alignas(512) wide {
    int value = 0;
};

template <class T>
void check_same(const own<T>& it, const std::vector<T>& model) {
    BOOST_TEST(it.size() == model.size());
    BOOST_TEST(std::ranges::equal(it.span(), model));
    BOOST_TEST(it.capacity() >= it.size());
}

std::string text(std::size_t i) {
    return std::to_string(i) + " is a text too long to be kept inside of a string";
}

} // namespace

BOOST_AUTO_TEST_SUITE(vectors)

BOOST_AUTO_TEST_CASE(an_array_s_layout_never_overflows) {
    constexpr std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
    BOOST_TEST(array_layout<int>::make(7)->bytes() == 28u);
    BOOST_TEST((array_layout<int>::make(7)->whole() == layout{28, 4}));
    BOOST_TEST(array_layout<int>().is_empty());
    BOOST_TEST(array_layout<int>::make(most / 4).has_value());
    BOOST_TEST((array_layout<int>::make(most / 4 + 1).error().code == errc::too_large));
    BOOST_TEST((array_layout<int>::make(~std::size_t{0}).error().code == errc::too_large));
    BOOST_TEST(array_layout<char>::make(most).has_value());
    BOOST_TEST(array_layout<int>::make_unchecked(3).count() == 3u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(it_does_what_a_standard_vector_does, T,
                              decltype(std::tuple<int, std::string, std::unique_ptr<int>>())) {
    test::random_source random(1);
    const auto make = [](std::size_t i) {
        if constexpr (std::is_same_v<T, int>)
            return static_cast<int>(i);
        else if constexpr (std::is_same_v<T, std::string>)
            return text(i);
        else
            return std::make_unique<int>(static_cast<int>(i));
    };
    const auto key = [](const T& it) {
        if constexpr (std::is_same_v<T, std::unique_ptr<int>>)
            return *it;
        else
            return it;
    };
    ledger memory;
    own<T> it{ledger_ref(memory)};
    std::vector<T> model;
    BOOST_TEST_CONTEXT(random) {
        for (std::size_t step = 0; step != 4000; ++step) {
            switch (random.below(9)) {
            case 0:
            case 1:
            case 2:
                BOOST_TEST(it.push(make(step), flags::kernel).has_value());
                model.push_back(make(step));
                break;
            case 3:
                if (const auto last = it.pop()) {
                    BOOST_TEST((key(*last) == key(model.back())));
                    model.pop_back();
                } else {
                    BOOST_TEST(model.empty());
                }
                break;
            case 4: {
                const std::size_t at = random.below(model.size() + 2);
                const auto done = it.insert_within_capacity(at, make(step));
                if (at > model.size())
                    BOOST_TEST((done.error().why.code == errc::past_the_end));
                else if (!done)
                    BOOST_TEST(
                        (done.error().why.code == errc::no_room && model.size() == it.capacity()));
                else
                    model.insert(model.begin() + static_cast<std::ptrdiff_t>(at), make(step));
                break;
            }
            case 5: {
                const std::size_t at = random.below(model.size() + 2);
                const auto done = it.remove(at);
                BOOST_TEST(done.has_value() == (at < model.size()));
                if (!done)
                    break;
                BOOST_TEST((key(*done) == key(model[at])));
                model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
                break;
            }
            case 6: {
                const std::size_t modulus = random.between(2, 5);
                const auto keep = [&](const T& each) {
                    return std::hash<std::string>()([&] {
                               if constexpr (std::is_same_v<T, std::string>)
                                   return each;
                               else
                                   return std::to_string(key(each));
                           }()) %
                               modulus !=
                           0;
                };
                it.retain(keep);
                std::erase_if(model, [&](const T& each) { return !keep(each); });
                break;
            }
            case 7:
                BOOST_TEST(it.shrink_to(random.below(50), flags::kernel).has_value());
                break;
            case 8:
                BOOST_TEST(it.reserve(random.below(20), flags::kernel).has_value());
                break;
            }
            BOOST_TEST(it.size() == model.size());
            BOOST_TEST(std::ranges::equal(it.span(), model, {}, key, key));
            BOOST_TEST(memory.live() == (it.capacity() == 0 ? 0u : 1u));
        }
    }
}

BOOST_AUTO_TEST_CASE(capacity_doubles_from_one) {
    ledger memory;
    own<int> it{ledger_ref(memory)};
    std::vector<std::size_t> capacities;
    for (int i = 0; i != 17; ++i) {
        BOOST_TEST(it.push(i, flags::kernel).has_value());
        if (capacities.empty() || capacities.back() != it.capacity())
            capacities.push_back(it.capacity());
    }
    BOOST_TEST(capacities == (std::vector<std::size_t>{1, 2, 4, 8, 16, 32}));
    BOOST_TEST(it.reserve(100, flags::kernel).has_value());
    BOOST_TEST(it.capacity() == 117u);
    BOOST_TEST(it.reserve(100, flags::kernel).has_value());
    BOOST_TEST(it.capacity() == 117u);
    BOOST_TEST((it.reserve(~std::size_t{0}, flags::kernel).error().code == errc::too_large));
    BOOST_TEST(it.size() == 17u);
}

BOOST_AUTO_TEST_CASE(flags_reach_the_allocator) {
    ledger memory;
    own<int> it{ledger_ref(memory)};
    BOOST_TEST(it.push(1, flags::atomic).has_value());
    BOOST_TEST((memory.last_flags() == flags::atomic));
    BOOST_TEST(it.reserve(8, flags::kernel | flags::zero).has_value());
    BOOST_TEST((memory.last_flags() == (flags::kernel | flags::zero)));
    BOOST_TEST(std::ranges::all_of(std::span(it.spare(), it.spare_capacity()),
                                   [](int each) { return each == 0; }));
}

BOOST_AUTO_TEST_CASE(vectors_are_made_of_elements_ranges_and_parts) {
    ledger memory;
    const ledger_ref from(memory);
    auto sevens = own<int>::from_elem(7, 3, flags::kernel, from);
    BOOST_TEST((*sevens == std::vector{7, 7, 7}));
    auto listed = own<int>::of({1, 2, 3}, flags::kernel, from);
    BOOST_TEST((*listed == std::vector{1, 2, 3}));
    BOOST_TEST(listed->capacity() == 3u);
    auto squares = own<int>::collect(std::views::iota(0, 5) |
                                         std::views::transform([](int i) { return i * i; }),
                                     flags::kernel, from);
    BOOST_TEST((*squares == std::vector{0, 1, 4, 9, 16}));
    auto copy = squares->clone(flags::kernel);
    BOOST_TEST((*copy == *squares));
    BOOST_TEST(copy->data() != squares->data());
    BOOST_TEST((*listed < *squares) == false);
    BOOST_TEST((*squares < *sevens));
    auto roomy = own<int>::with_capacity(10, flags::kernel, from);
    BOOST_TEST((roomy->capacity() == 10u && roomy->empty()));

    const auto parts = std::move(*copy).into_raw_parts();
    BOOST_TEST((parts.size == 5u && parts.capacity == copy->capacity() + 5u));
    BOOST_TEST((copy->empty() && copy->capacity() == 0u));
    const auto again = own<int>::from_raw_parts(parts, from);
    BOOST_TEST((again == *squares));
    static_assert(!std::is_copy_constructible_v<own<int>>);
    own<int> moved = std::move(*sevens);
    BOOST_TEST((sevens->empty() && moved.size() == 3u));
    moved = std::move(*listed);
    BOOST_TEST((moved == std::vector{1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(vectors_work_with_ranges_and_algorithms) {
    static_assert(std::ranges::contiguous_range<own<int>> && std::ranges::sized_range<own<int>>);
    ledger memory;
    own<int> it{ledger_ref(memory)};
    BOOST_TEST(it.extend(std::views::iota(0, 100), flags::kernel).has_value());
    std::ranges::shuffle(it, std::mt19937(1));
    std::ranges::sort(it);
    BOOST_TEST(std::ranges::is_sorted(it));
    BOOST_TEST(std::accumulate(it.begin(), it.end(), 0) == 4950);
    for (int& each : it | std::views::take(10))
        each = -1;
    BOOST_TEST(std::ranges::count(it, -1) == 10);
}

BOOST_AUTO_TEST_CASE(extending) {
    ledger memory;
    own<std::string> it{ledger_ref(memory)};
    BOOST_TEST(it.extend_with(0, "none", flags::kernel).has_value());
    BOOST_TEST(it.empty());
    BOOST_TEST(it.extend_with(2, "two", flags::kernel).has_value());
    BOOST_TEST(it.extend_from_slice(it.span(), flags::kernel).has_value()); // its own elements
    BOOST_TEST((it == std::vector<std::string>{"two", "two", "two", "two"}));
    BOOST_TEST(it.extend_from_slice(it.span().subspan(3), flags::kernel).has_value());
    BOOST_TEST(it.resize(7, "seven", flags::kernel).has_value());
    BOOST_TEST(it.back() == "seven");
    BOOST_TEST(it.resize(1, "", flags::kernel).has_value());
    BOOST_TEST((it == std::vector<std::string>{"two"}));
    BOOST_TEST(it.emplace(flags::kernel, 3U, 'x').has_value());
    BOOST_TEST(it.back() == "xxx");
    BOOST_TEST((it.get(1) == &it.back() && it.get(2) == nullptr));
    ::new (static_cast<void*>(it.spare())) std::string("made by hand");
    it.inc_len(1);
    BOOST_TEST(it.back() == "made by hand");
}

BOOST_AUTO_TEST_CASE(within_capacity_nothing_is_allocated) {
    ledger memory;
    auto it = *own<std::string>::with_capacity(2, flags::kernel, ledger_ref(memory));
    const auto calls = memory.calls();
    BOOST_TEST(it.push_within_capacity("b").has_value());
    BOOST_TEST(it.insert_within_capacity(0, "a").has_value());
    const auto third = it.push_within_capacity(text(3));
    BOOST_TEST((third.error().why.code == errc::no_room && third.error().value == text(3)));
    const auto inserted = it.insert_within_capacity(1, text(4));
    BOOST_TEST((inserted.error().why.code == errc::no_room && inserted.error().value == text(4)));
    const auto far = it.insert_within_capacity(3, text(5));
    BOOST_TEST((far.error().why.code == errc::past_the_end && far.error().value == text(5)));
    BOOST_TEST((it.remove(2).error().code == errc::past_the_end));
    BOOST_TEST((it == std::vector<std::string>{"a", "b"}));
    BOOST_TEST(memory.calls() == calls);
}

BOOST_AUTO_TEST_CASE(retain_keeps_every_pattern_of_every_length) { // the kernel's test_kvec_retain
    ledger memory;
    for (std::size_t length = 0; length != 10; ++length)
        for (std::uint32_t pattern = 0; pattern != 1U << length; ++pattern) {
            own<int> it{ledger_ref(memory)};
            std::vector<int> expected;
            for (std::size_t i = 0; i != length; ++i) {
                BOOST_TEST(it.push(static_cast<int>(i), flags::kernel).has_value());
                if ((pattern >> i & 1U) != 0)
                    expected.push_back(static_cast<int>(i));
            }
            it.retain([&](int& each) { return (pattern >> each & 1U) != 0; });
            check_same(it, expected);
        }
}

BOOST_AUTO_TEST_CASE(draining_takes_all_at_once_and_keeps_the_block) {
    ledger memory;
    test::population all;
    own<test::tracked<false>> it{ledger_ref(memory)};
    for (int i = 0; i != 6; ++i)
        BOOST_TEST(it.emplace(flags::kernel, all, i).has_value());
    const auto capacity = it.capacity();
    {
        auto gone = it.drain_all();
        BOOST_TEST(it.empty());
        BOOST_TEST(gone.next()->value() == 0);
        BOOST_TEST((gone.size() == 5u && gone.span().front() == 1 && all.live == 5));
    }
    BOOST_TEST((all.live == 0 && it.capacity() == capacity));
    for (int i = 0; i != 3; ++i)
        BOOST_TEST(it.emplace(flags::kernel, all, i).has_value());
    int sum = 0;
    for (auto&& each : it.drain_all())
        sum += each.value();
    BOOST_TEST((sum == 3 && all.live == 0));
}

BOOST_AUTO_TEST_CASE(walking_by_value_and_collecting_again_reuses_the_block) {
    ledger memory;
    auto it = *own<std::string>::of({text(0), text(1), text(2), text(3)}, flags::kernel,
                                    ledger_ref(memory));
    const auto* const block = it.data();
    auto walk = std::move(it).into_iter();
    auto whole = std::move(walk).collect(flags::kernel);
    BOOST_TEST((whole.data() == block && whole.size() == 4u)); // not advanced: the very same

    auto second = std::move(whole).into_iter();
    BOOST_TEST(*second.next() == text(0));
    BOOST_TEST(second.span().size() == 3u);
    memory.fail_nth(1); // that it cannot be shrunk is no failure
    auto rest = std::move(second).collect(flags::kernel);
    BOOST_TEST((rest == std::vector<std::string>{text(1), text(2), text(3)}));
    BOOST_TEST((rest.data() == block && rest.capacity() == 4u));

    auto third = std::move(rest).into_iter();
    BOOST_TEST(*third.next() == text(1));
    auto last = std::move(third).collect(flags::kernel);
    BOOST_TEST((last == std::vector<std::string>{text(2), text(3)} && last.capacity() == 2u));
    std::size_t i = 2;
    for (std::string&& each : std::move(last).into_iter())
        BOOST_TEST(each == text(i++));
    BOOST_TEST(i == 4u);
}

BOOST_AUTO_TEST_CASE(elements_of_any_alignment_lie_where_they_must) {
    ledger memory;
    own<wide> it{ledger_ref(memory)};
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(it.data()) % alignof(wide) == 0u);
    for (int i = 0; i != 20; ++i) {
        BOOST_TEST(it.push(wide{i}, flags::kernel).has_value());
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(&it.back()) % alignof(wide) == 0u);
    }
    BOOST_TEST(it[13].value == 13);
}

BOOST_AUTO_TEST_CASE(where_elements_are_assigned_an_exception_leaves_objects) {
    using element = test::tracked<true>;
    const auto thrown_in = [](auto&& change) {
        for (int n = 1;; ++n) {
            ledger memory;
            test::population all;
            auto it = *own<element>::with_capacity(5, flags::kernel, ledger_ref(memory));
            for (int i = 0; i != 4; ++i)
                BOOST_TEST(it.emplace(flags::nowait, all, i).has_value());
            all.throw_in = n;
            try {
                change(it, all);
                return n - 1;
            } catch (const std::runtime_error&) {
                all.throw_in = 0;
            }
            BOOST_TEST((it.size() >= 4u && it.size() <= 5u));
            BOOST_TEST(all.live == static_cast<int>(it.size()));
            BOOST_TEST(it.emplace(flags::kernel, all, 9).has_value()); // it goes on
            BOOST_TEST((it.back() == 9));
        }
    };
    BOOST_TEST(thrown_in([](auto& it, auto& all) {
                   BOOST_TEST(it.insert_within_capacity(1, element(all, 7)).has_value());
               }) > 3);
    BOOST_TEST(thrown_in([](auto& it, auto&) { BOOST_TEST(it.remove(0).has_value()); }) > 3);
    BOOST_TEST(thrown_in([](auto& it, auto& all) {
                   it.retain([&](const element& each) {
                       all.may_throw();
                       return each.value() % 2 == 1;
                   });
               }) > 3);
}

BOOST_AUTO_TEST_SUITE_END()
