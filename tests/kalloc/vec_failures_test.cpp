// SPDX-License-Identifier: MIT
// Every method of a vector, with every call to its allocator failing in turn, and with every
// construction throwing in turn: the vector is as it was, the element comes back, nothing is lost.
#include <palloc/kalloc/vec.hpp>
#include <palloc/kalloc/vec_iterators.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "support/ledger.hpp"
#include "support/tracked.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;
using test::population;

namespace {

/// One call, on a vector of 4 elements that is full. Answers the error, and what came back.
template <class T>
struct method {
    std::string name;
    std::function<std::optional<error>(vec<T, ledger_ref>&, population&)> call;
};

constexpr int marked = 77;

template <class T>
std::optional<error> came_back(const accepted<void, T>& answer) {
    if (answer)
        return std::nullopt;
    BOOST_TEST(answer.error().value.value() == marked);
    return answer.error().why;
}

std::optional<error> error_of(const auto& answer) {
    return answer ? std::nullopt : std::optional(answer.error());
}

template <class T>
std::vector<method<T>> methods() {
    using own = vec<T, ledger_ref>;
    return {
        {"push",
         [](own& v, population& all) {
             return came_back<T>(v.push(T(all, marked), flags::kernel));
         }},
        {"emplace",
         [](own& v, population& all) { return error_of(v.emplace(flags::kernel, all, marked)); }},
        {"extend_with",
         [](own& v, population& all) {
             return came_back<T>(v.extend_with(3, T(all, marked), flags::kernel));
         }},
        {"resize",
         [](own& v, population& all) {
             return came_back<T>(v.resize(9, T(all, marked), flags::kernel));
         }},
        {"extend_from_slice",
         [](own& v, population&) {
             return error_of(v.extend_from_slice(v.span(), flags::kernel));
         }},
        {"extend",
         [](own& v, population& all) {
             const std::array<T, 2> more{T(all, 1), T(all, 2)};
             return error_of(v.extend(more, flags::kernel));
         }},
        {"reserve", [](own& v, population&) { return error_of(v.reserve(1, flags::kernel)); }},
        {"clone", [](own& v, population&) { return error_of(v.clone(flags::kernel)); }},
        {"from_elem",
         [](own& v, population& all) -> std::optional<error> {
             const auto made = own::from_elem(T(all, marked), 3, flags::kernel, v.allocator());
             if (made)
                 return std::nullopt;
             BOOST_TEST(made.error().value.value() == marked);
             return made.error().why;
         }},
        {"with_capacity",
         [](own& v, population&) {
             return error_of(own::with_capacity(3, flags::kernel, v.allocator()));
         }},
        {"collect",
         [](own& v, population&) {
             return error_of(own::collect(v.span(), flags::kernel, v.allocator()));
         }},
    };
}

template <class T>
struct scene {
    ledger memory;
    population all;
    vec<T, ledger_ref> it{ledger_ref(memory)};
    const T* block = nullptr;

    scene() {
        for (int i = 0; i != 4; ++i)
            BOOST_TEST_REQUIRE(it.emplace(flags::kernel, all, i).has_value());
        BOOST_TEST_REQUIRE(it.capacity() == 4u);
        block = it.data();
    }
    void check_unchanged() {
        BOOST_TEST((it.size() == 4u && it.capacity() == 4u && it.data() == block));
        for (int i = 0; i != 4; ++i)
            BOOST_TEST(it[static_cast<std::size_t>(i)].value() == i);
        BOOST_TEST((all.live == 4 && memory.live() == 1u));
    }
};

using careful = test::tracked<false>;
using throwing = test::tracked<true>;
using both = std::tuple<careful, throwing>;

} // namespace

BOOST_AUTO_TEST_SUITE(failures)

BOOST_AUTO_TEST_CASE_TEMPLATE(without_memory_nothing_changes, T, both) {
    for (const auto& [name, call] : methods<T>())
        BOOST_TEST_CONTEXT(name) {
            std::uint64_t n = 1;
            for (;; ++n) {
                scene<T> it;
                it.memory.fail_nth(n);
                const auto before = it.memory.calls();
                const auto why = call(it.it, it.all);
                if (!why)
                    break;
                BOOST_TEST((why->code == errc::out_of_memory));
                BOOST_TEST(it.memory.calls() == before + n);
                it.check_unchanged();
            }
            BOOST_TEST(n >= 2u); // it did allocate
        }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_exception_changes_nothing, T, both) {
    for (const auto& [name, call] : methods<T>())
        BOOST_TEST_CONTEXT(name) {
            for (int n = 1;; ++n) {
                scene<T> it;
                it.all.throw_in = n;
                try {
                    (void)call(it.it, it.all);
                    break;
                } catch (const std::runtime_error&) {
                    it.all.throw_in = 0;
                    // Room that was made stays: it is no element.
                    BOOST_TEST(it.it.size() == 4u);
                    for (int i = 0; i != 4; ++i)
                        BOOST_TEST(it.it[static_cast<std::size_t>(i)].value() == i);
                    BOOST_TEST((it.all.live == 4 && it.memory.live() == 1u));
                }
            }
        }
}

BOOST_AUTO_TEST_CASE(shrinking_that_fails_changes_nothing) {
    scene<careful> it;
    BOOST_TEST(it.it.pop().has_value());
    it.memory.fail_nth(1);
    BOOST_TEST((it.it.shrink_to(0, flags::kernel).error().code == errc::out_of_memory));
    BOOST_TEST((it.it.size() == 3u && it.it.capacity() == 4u && it.it.data() == it.block));
    BOOST_TEST(it.it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.it.size() == 3u && it.it.capacity() == 3u));
    it.it.clear();
    BOOST_TEST(it.it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.it.capacity() == 0u && it.memory.live() == 0u));
}

BOOST_AUTO_TEST_CASE(elements_that_may_throw_when_moved_are_copied) {
    scene<throwing> it;
    const int copies = it.all.copies;
    BOOST_TEST(it.it.reserve(1, flags::kernel).has_value());
    BOOST_TEST(it.all.copies == copies + 4);
    scene<careful> other;
    BOOST_TEST(other.it.reserve(1, flags::kernel).has_value());
    BOOST_TEST(other.all.copies == 0);
}

BOOST_AUTO_TEST_CASE(collecting_again_loses_nothing_when_a_move_throws) {
    scene<throwing> it;
    auto walk = std::move(it.it).into_iter();
    BOOST_TEST(walk.next().has_value());
    it.all.throw_in = 2;
    BOOST_CHECK_THROW((void)std::move(walk).collect(flags::kernel), std::runtime_error);
    it.all.throw_in = 0;
}

BOOST_AUTO_TEST_SUITE_END()
