// SPDX-License-Identifier: MIT
// What a vector is after an exception of its elements' own, of every kind of element.
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/ledger.hpp"
#include "support/tracked.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;
using test::population;

namespace {

template <class T>
using own = vec<T, ledger_ref>;

using throwing = test::tracked<true>; ///< all that it does may throw

/// Of which a vector moves the bytes, though its own move may throw.
struct relocatable : throwing {
    using throwing::throwing;
};

/// Moves without throwing, but is assigned with.
struct assigned_with_throw : test::tracked<false> {
    using base = test::tracked<false>;
    assigned_with_throw(population& of, int value) : base(of, value), all(&of) {}
    assigned_with_throw(const assigned_with_throw&) = default;
    assigned_with_throw(assigned_with_throw&&) noexcept = default;
    assigned_with_throw& operator=(const assigned_with_throw&) = default;
    assigned_with_throw& operator=(assigned_with_throw&& other) {
        all->may_throw();
        base::operator=(std::move(other));
        return *this;
    }
    ~assigned_with_throw() = default;
    population* all;
};

/// Changes places without throwing; all else may throw.
class swapped {
  public:
    swapped(population& all, int value) : all_(&all), value_(value) { all_->born(); }
    swapped(const swapped& other) : all_(other.all_), value_(other.value_) { all_->born(); }
    swapped& operator=(const swapped& other) {
        all_->may_throw();
        value_ = other.value_;
        return *this;
    }
    ~swapped() { --all_->live; }
    [[nodiscard]] int value() const { return value_; }
    friend void swap(swapped& a, swapped& b) noexcept { std::swap(a.value_, b.value_); }

  private:
    population* all_;
    int value_;
};

/// Cannot be copied, and its move may throw, before it changes anything.
class only_moved {
  public:
    only_moved(population& all, int value) : all_(&all), value_(value) { all_->born(); }
    only_moved(only_moved&& other) : all_(other.all_), value_(other.value_) {
        all_->born();
        other.value_ = -1;
    }
    only_moved& operator=(only_moved&& other) {
        all_->may_throw();
        value_ = std::exchange(other.value_, -1);
        return *this;
    }
    ~only_moved() { --all_->live; }
    [[nodiscard]] int value() const { return value_; }

  private:
    population* all_;
    int value_;
};

} // namespace

template <>
inline constexpr bool palloc::is_trivially_relocatable<relocatable> = true;

namespace {

static_assert(!std::is_nothrow_move_constructible_v<relocatable> &&
              !std::is_nothrow_swappable_v<assigned_with_throw> &&
              !std::is_nothrow_move_constructible_v<swapped>);
using change_places_without_throwing = std::tuple<relocatable, assigned_with_throw, swapped>;
using all_kinds = std::tuple<relocatable, assigned_with_throw, swapped, throwing, only_moved>;

std::vector<int> values_of(const auto& it) {
    std::vector<int> values;
    for (const auto& each : it)
        values.push_back(each.value());
    return values;
}

const std::vector<int> before{0, 1, 2, 3, 4, 5};

/// Calls `change(vector, population)` with the nth step throwing, for every n until none does;
/// answers how many threw, and what the vector was at last. `check(vector, population)` follows
/// each that threw.
template <class T>
std::pair<int, std::vector<int>> with_each_throwing(auto&& change, auto&& check,
                                                    std::size_t room = 8) {
    for (int n = 1;; ++n) {
        ledger memory;
        population all;
        auto it = *own<T>::with_capacity(room, flags::kernel, ledger_ref(memory));
        for (const int each : before)
            BOOST_TEST_REQUIRE(it.emplace(flags::nowait, all, each).has_value());
        const T* const block = it.data();
        all.throw_in = n;
        try {
            change(it, all);
            return {n - 1, values_of(it)};
        } catch (const std::runtime_error&) {
            all.throw_in = 0;
        }
        BOOST_TEST(((it.data() == block) == (it.capacity() == room) && memory.live() == 1u));
        BOOST_TEST(all.live == static_cast<int>(it.size()));
        check(it, all);
    }
}

void check_unchanged(const auto& it, population&) {
    BOOST_TEST(it.capacity() == 8u);
    BOOST_TEST(values_of(it) == before, boost::test_tools::per_element());
}

} // namespace

BOOST_AUTO_TEST_SUITE(exceptions)

BOOST_AUTO_TEST_CASE_TEMPLATE(inserting_in_place_changes_all_or_nothing, T,
                              change_places_without_throwing) {
    for (const std::size_t at : {0U, 2U, 5U, 6U}) {
        const auto [thrown, now] = with_each_throwing<T>(
            [at](own<T>& it, population& all) {
                BOOST_TEST(it.insert_within_capacity(at, T(all, 7)).has_value());
            },
            [](auto& it, auto& all) { check_unchanged(it, all); });
        BOOST_TEST(thrown >= 1);
        auto expected = before;
        expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(at), 7);
        BOOST_TEST(now == expected, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(removing_changes_all_or_nothing, T, change_places_without_throwing) {
    for (const std::size_t at : {0U, 2U, 5U}) {
        const auto [thrown, now] = with_each_throwing<T>(
            [at](own<T>& it, population&) {
                BOOST_TEST(it.remove(at)->value() == static_cast<int>(at));
            },
            [](auto& it, auto& all) { check_unchanged(it, all); });
        BOOST_TEST((thrown >= 1 || std::is_nothrow_move_constructible_v<T>));
        auto expected = before;
        expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(at));
        BOOST_TEST(now == expected, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_element_that_cannot_be_taken_out_stays, T, all_kinds) {
    const auto [thrown, now] =
        with_each_throwing<T>([](own<T>& it, population&) { BOOST_TEST(it.pop()->value() == 5); },
                              [](auto& it, auto& all) { check_unchanged(it, all); });
    BOOST_TEST((thrown >= 1 || std::is_nothrow_move_constructible_v<T>));
    BOOST_TEST((now == std::vector<int>{0, 1, 2, 3, 4}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_predicate_that_throws_loses_no_element, T,
                              change_places_without_throwing) {
    int asked = 0;
    const auto [thrown, now] = with_each_throwing<T>(
        [&](own<T>& it, population& all) {
            asked = 0;
            it.retain([&](const T& each) {
                all.may_throw();
                ++asked;
                return each.value() % 2 == 1;
            });
        },
        [&](auto& it, auto&) {
            const auto left = values_of(it);
            const auto looked_at = static_cast<std::ptrdiff_t>(asked);
            BOOST_TEST(std::is_permutation(left.begin(), left.end(), before.begin(), before.end()));
            BOOST_TEST(std::equal(left.begin() + looked_at, left.end(), before.begin() + looked_at,
                                  before.end()));
        });
    BOOST_TEST(thrown == 6);
    BOOST_TEST((now == std::vector<int>{1, 3, 5}));
}

BOOST_AUTO_TEST_CASE(where_changing_places_throws_those_before_are_as_they_were) {
    const auto first_two_are_there = [](auto& it, auto&) {
        BOOST_TEST((it.size() == 6u || it.size() == 7u));
        BOOST_TEST((it[0].value() == 0 && it[1].value() == 1));
    };
    BOOST_TEST(with_each_throwing<throwing>(
                   [](own<throwing>& it, population& all) {
                       BOOST_TEST(it.insert_within_capacity(2, throwing(all, 7)).has_value());
                   },
                   first_two_are_there)
                   .first > 4);
    BOOST_TEST(with_each_throwing<throwing>(
                   [](own<throwing>& it, population&) { BOOST_TEST(it.remove(2).has_value()); },
                   first_two_are_there)
                   .first > 4);
    BOOST_TEST(with_each_throwing<throwing>(
                   [](own<throwing>& it, population&) {
                       it.retain([](const throwing& each) { return each.value() != 2; });
                   },
                   first_two_are_there)
                   .first > 4);
}

BOOST_AUTO_TEST_CASE(growth_of_what_can_only_be_moved_leaves_what_the_move_left) {
    int moved = 0; // in the run that threw
    const auto [thrown, now] = with_each_throwing<only_moved>(
        [](own<only_moved>& it, population& all) {
            BOOST_TEST(it.push(only_moved(all, 6), flags::kernel).has_value());
        },
        [&](auto& it, auto&) {
            BOOST_TEST(it.size() == before.size());
            const auto left = values_of(it);
            const auto gone = static_cast<std::ptrdiff_t>(std::count(left.begin(), left.end(), -1));
            moved = std::max(moved, static_cast<int>(gone));
            BOOST_TEST(std::equal(left.begin() + gone, left.end(), before.begin() + gone,
                                  before.end())); // those behind are as they were
        },
        before.size());
    BOOST_TEST((thrown > 6 && moved >= 5));
    BOOST_TEST((now == std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
}

BOOST_AUTO_TEST_CASE(what_a_box_holds_stays_there_until_it_was_moved_out) {
    ledger memory;
    population all;
    auto it = *box<throwing, ledger_ref>::make_in(ledger_ref(memory), flags::kernel, all, 3);
    all.throw_in = 1;
    BOOST_CHECK_THROW((void)std::move(it).into_inner(), std::runtime_error);
    all.throw_in = 0;
    BOOST_TEST_REQUIRE(static_cast<bool>(it));
    BOOST_TEST((it->value() == 3 && all.live == 1 && memory.live() == 1u));
    BOOST_TEST(std::move(it).into_inner().value() == 3);
    BOOST_TEST((!it && all.live == 0 && memory.live() == 0u));
}

BOOST_AUTO_TEST_SUITE_END()
