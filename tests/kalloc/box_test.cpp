// SPDX-License-Identifier: MIT
#include <palloc/kalloc/box.hpp>
#include <palloc/kalloc/pinned_slice.hpp>
#include <palloc/kalloc/vec.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "support/ledger.hpp"
#include "support/tracked.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;
using test::population;

namespace {

template <class T>
using own = box<T, ledger_ref>;
using object = test::tracked<false>;

struct immovable {
    explicit immovable(int v) : value(v) {}
    immovable(const immovable&) = delete;
    immovable& operator=(const immovable&) = delete;
    int value;
};

struct alignas(1024) wide {
    int value = 5;
};

} // namespace

BOOST_AUTO_TEST_SUITE(boxes)

BOOST_AUTO_TEST_CASE(a_box_owns_one_object) {
    ledger memory;
    population all;
    {
        auto it = *own<object>::create(object(all, 7), flags::kernel, ledger_ref(memory));
        BOOST_TEST((it->value() == 7 && (*it).value() == 7 && it.get() != nullptr));
        BOOST_TEST((all.live == 1 && memory.live() == 1u));
        auto other = std::move(it);
        BOOST_TEST((!it && other));
        it = std::move(other);
        BOOST_TEST((it && !other));
        BOOST_TEST((*own<object>::make_in(ledger_ref(memory), flags::kernel, all, 7) == it));
        it.reset();
        BOOST_TEST((!it && all.live == 0 && memory.live() == 0u));
    }
    static_assert(!std::is_copy_constructible_v<own<object>>);
    static_assert(sizeof(own<int>) == 2 * sizeof(void*));
}

BOOST_AUTO_TEST_CASE(the_failed_element_comes_back) {
    ledger memory;
    memory.fail_nth(1);
    auto text = std::make_unique<int>(3);
    auto it = own<std::unique_ptr<int>>::create(std::move(text), flags::kernel, ledger_ref(memory));
    BOOST_TEST((it.error().why.code == errc::out_of_memory && *it.error().value == 3));
    population all;
    memory.fail_nth(1);
    BOOST_TEST((own<object>::make_in(ledger_ref(memory), flags::kernel, all, 1).error().code ==
                errc::out_of_memory));
    memory.fail_nth(1);
    BOOST_TEST(!own<object>::pin(object(all, 2), flags::kernel, ledger_ref(memory)).has_value());
    BOOST_TEST(all.live == 0);
}

BOOST_AUTO_TEST_CASE(a_constructor_that_throws_loses_nothing) {
    ledger memory;
    population all{.throw_in = 1};
    BOOST_CHECK_THROW((void)own<object>::make_in(ledger_ref(memory), flags::kernel, all, 1),
                      std::runtime_error);
    BOOST_TEST((all.live == 0 && memory.live() == 0u));
}

BOOST_AUTO_TEST_CASE(objects_are_made_in_place) {
    ledger memory;
    auto it =
        *own<immovable>::make_with(flags::kernel, [] { return immovable(4); }, ledger_ref(memory));
    BOOST_TEST(it->value == 4);
    auto big = *own<wide>::make_in(ledger_ref(memory), flags::kernel);
    BOOST_TEST((big->value == 5 && reinterpret_cast<std::uintptr_t>(big.get()) % 1024 == 0u));
}

BOOST_AUTO_TEST_CASE(what_makes_an_object_may_fail) {
    ledger memory;
    population all;
    const auto failed = own<object>::make_with(
        flags::kernel, [](object*) -> result<void> { return fail(errc::bad_argument); },
        ledger_ref(memory));
    BOOST_TEST((failed.error().code == errc::bad_argument && memory.live() == 0u));
    const auto put = [&](object* place) -> result<void> {
        ::new (static_cast<void*>(place)) object(all, 6);
        return {};
    };
    const auto it = own<object>::make_with(flags::kernel, put, ledger_ref(memory));
    BOOST_TEST(((*it)->value() == 6 && all.live == 1));
    memory.fail_nth(1);
    BOOST_TEST((own<object>::make_with(flags::kernel, put, ledger_ref(memory)).error().code ==
                errc::out_of_memory));
    all.throw_in = 1;
    BOOST_CHECK_THROW((void)own<object>::make_with(flags::kernel, put, ledger_ref(memory)),
                      std::runtime_error);
    BOOST_TEST((all.live == 1 && memory.live() == 1u));
}

BOOST_AUTO_TEST_CASE(a_box_that_holds_nothing_equals_only_another) {
    ledger memory;
    auto it = *own<int>::make_in(ledger_ref(memory), flags::kernel, 0);
    auto moved = std::move(it);
    BOOST_TEST((it != moved && moved != it && it == it)); // NOLINT(bugprone-use-after-move)
    BOOST_TEST((moved == *own<int>::make_in(ledger_ref(memory), flags::kernel, 0)));
}

BOOST_AUTO_TEST_CASE(a_block_may_wait_for_its_object) {
    ledger memory;
    population all;
    auto room = *own<object>::make_uninit(flags::kernel, ledger_ref(memory));
    BOOST_TEST((all.live == 0 && memory.live() == 1u));
    auto it = std::move(room).write(object(all, 3));
    BOOST_TEST((it->value() == 3 && all.live == 1));
    const auto* const place = it.get();
    auto again = std::move(it).drop_contents();
    BOOST_TEST((all.live == 0 && memory.live() == 1u && again.get() == place));
    ::new (static_cast<void*>(again.get())) object(all, 9);
    it = std::move(again).assume_init();
    BOOST_TEST((it->value() == 9 && it.get() == place));
    auto zeroed = *own<int>::make_uninit(flags::kernel | flags::zero, ledger_ref(memory));
    BOOST_TEST(*std::move(zeroed).assume_init() == 0);
    auto unused = *own<object>::make_uninit(flags::kernel, ledger_ref(memory));
    unused = *own<object>::make_uninit(flags::kernel, ledger_ref(memory));
}

BOOST_AUTO_TEST_CASE(ownership_is_given_away_and_taken_back) {
    ledger memory;
    population all;
    const ledger_ref from(memory);
    auto* const raw =
        std::move(*own<object>::create(object(all, 1), flags::kernel, from)).into_raw();
    auto it = own<object>::from_raw(raw, from);
    void* const foreign = std::move(it).into_foreign();
    BOOST_TEST(own<object>::borrow(foreign).value() == 1);
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(foreign) % own<object>::foreign_align == 0u);
    it = own<object>::from_foreign(foreign, from);
    auto& leaked = std::move(it).leak();
    BOOST_TEST((all.live == 1 && leaked.value() == 1));
    const object inner = own<object>::from_raw(&leaked, from).into_inner();
    BOOST_TEST((inner.value() == 1 && all.live == 1 && memory.live() == 0u));
}

BOOST_AUTO_TEST_CASE(what_is_pinned_stays) {
    ledger memory;
    population all;
    auto it = *own<object>::pin(object(all, 6), flags::kernel, ledger_ref(memory));
    const auto* const place = it.get();
    auto moved = std::move(it);
    BOOST_TEST((moved.get() == place && moved->value() == 6 && (*moved).value() == 6));
    auto fixed =
        std::move(*own<immovable>::make_in(ledger_ref(memory), flags::kernel, 2)).into_pin();
    BOOST_TEST(fixed->value == 2);
}

BOOST_AUTO_TEST_CASE(a_slice_is_made_in_place_and_stays) {
    ledger memory;
    population all;
    using slice = pinned_slice<object, ledger_ref>;
    {
        auto it = slice::make(
            4, [&](std::size_t i) { return object(all, static_cast<int>(i)); }, flags::kernel,
            ledger_ref(memory));
        BOOST_TEST((it->size() == 4u && (*it)[3].value() == 3 && all.live == 4));
        BOOST_TEST((it->span().front() == 0 && it->begin() + 4 == it->end()));
        const auto moved = std::move(*it);
        BOOST_TEST((moved.size() == 4u && it->size() == 0u));
    }
    BOOST_TEST((all.live == 0 && memory.live() == 0u));
    auto fixed = pinned_slice<immovable, ledger_ref>::make(
        3, [](std::size_t i) { return immovable(static_cast<int>(i)); }, flags::kernel,
        ledger_ref(memory));
    BOOST_TEST((*fixed)[2].value == 2);
    // An initialiser that fails or throws half-way takes back what was made.
    const auto failed = slice::make(
        5,
        [&](object* place, std::size_t i) -> result<void> {
            if (i == 3)
                return fail(errc::bad_argument);
            ::new (static_cast<void*>(place)) object(all, 0);
            return {};
        },
        flags::kernel, ledger_ref(memory));
    BOOST_TEST((failed.error().code == errc::bad_argument && all.live == 0));
    all.throw_in = 3;
    BOOST_CHECK_THROW(
        (void)slice::make(
            5, [&](std::size_t) { return object(all, 0); }, flags::kernel, ledger_ref(memory)),
        std::runtime_error);
    BOOST_TEST(all.live == 0);
    memory.fail_nth(1);
    BOOST_TEST(
        (slice::make(
             5, [&](std::size_t) { return object(all, 0); }, flags::kernel, ledger_ref(memory))
             .error()
             .code == errc::out_of_memory));
    BOOST_TEST((slice::make(
                    ~std::size_t{0}, [&](std::size_t) { return object(all, 0); }, flags::kernel,
                    ledger_ref(memory))
                    .error()
                    .code == errc::too_large));
}

BOOST_AUTO_TEST_CASE(boxes_move_by_their_bytes) {
    static_assert(is_trivially_relocatable<own<std::string>>);
    static_assert(!is_trivially_relocatable<std::string>);
    ledger memory;
    vec<own<std::string>, ledger_ref> all{ledger_ref(memory)};
    for (int i = 0; i != 20; ++i)
        BOOST_TEST(all.push(*own<std::string>::create(std::to_string(i), flags::kernel,
                                                      ledger_ref(memory)),
                            flags::kernel)
                       .has_value());
    BOOST_TEST(*all[13] == "13");
}

BOOST_AUTO_TEST_SUITE_END()
