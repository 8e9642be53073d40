// SPDX-License-Identifier: MIT
// What concepts/protection.hpp asks of every protection, over every backing that it can do with.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <type_traits>

#include "models/backings.hpp"
#include "models/protections.hpp"
#include "support/backing_checks.hpp"
#include "support/rig_memory.hpp"

using namespace palloc;

namespace {

template <class Protection, class Backing>
struct combination {
    using protection = Protection;
    using backing = Backing;
    /// Secret memory is never executable, and says so when it is asked for it only.
    static constexpr bool never_executable = std::is_same_v<Protection, write_xor_execute> &&
                                             requires { requires !Backing::is_executable; };
    static constexpr bool value =
        protection_for<Protection, Backing> && backing_can_map<Backing> && !never_executable;
};
template <class C>
struct is_legal : std::bool_constant<C::value> {};
template <class C>
struct can_close
    : std::bool_constant<protection_can_close<typename C::protection, typename C::backing>> {};
template <class C>
struct opens_windows
    : std::bool_constant<protection_opens_windows<typename C::protection, typename C::backing>> {};

using models = boost::mp11::mp_copy_if<
    boost::mp11::mp_product<combination, test::protection_models, test::backing_models>, is_legal>;

bool faults_on_writes(strength achieved) {
    return achieved == strength::read_only || achieved == strength::sealed ||
           achieved == strength::permanent;
}

/// An area of four pages, before it is opened.
template <class Model>
struct area {
    using protection_type = typename Model::protection;
    using backing_type = typename Model::backing;
    using attributes = typename protection_type::attributes;

    area() = default;
    area(const area&) = delete;
    area& operator=(const area&) = delete;
    ~area() { BOOST_TEST(backing.unmap(region).has_value() != is_permanent()); }

    [[nodiscard]] bool is_permanent() const { return achieved() == strength::permanent; }
    /// Whether it has reached what cannot be undone.
    [[nodiscard]] bool is_closed_for_good() const {
        return achieved() == strength::sealed || is_permanent();
    }

    result<void> open(const attributes& wished = {}) {
        return protection.open_area(backing, region, state, wished);
    }
    result<void> close() { return protection.close_area(backing, region, state); }
    [[nodiscard]] strength achieved() const { return protection.achieved(state); }

    /// What is claimed must hold.
    void check_strength() {
        if constexpr (backing_can_commit<backing_type>)
            BOOST_TEST(backing.commit(region, backing.where(region)).has_value());
        const range where = backing.where(region);
        if (test::space_of(rig) == nullptr && !memory_may_be_touched<backing_type>)
            return;
        const test::rig_memory memory(rig);
        if (faults_on_writes(achieved()))
            BOOST_TEST(!memory.writable(where));
        if (achieved() == strength::none)
            BOOST_TEST(memory.writable(where));
        if (const fake_space* const space = test::space_of(rig))
            BOOST_TEST((space->write_faults(where.base) || space->execute_faults(where.base)));
    }

    test::rig<backing_type> rig{};
    backing_type& backing = rig.backing;
    typename backing_type::region region = backing.map({.bytes = 4 * 4096}).value();
    protection_type protection = test::make_protection<protection_type>();
    typename protection_type::area_state state{};
};

/// Lets every call of the backing fail in turn until `run` has none left.
template <class Run>
void fail_every_call(Run&& run) {
    for (std::uint64_t n = 1; !run(n); ++n)
        BOOST_TEST_REQUIRE(n < 100u);
}

} // namespace

BOOST_AUTO_TEST_SUITE(every_protection)

BOOST_AUTO_TEST_CASE_TEMPLATE(wishes_can_be_compared, Protection, test::protection_models) {
    const auto wishes = test::attribute_models<Protection>();
    for (std::size_t i = 0; i != wishes.size(); ++i)
        for (std::size_t j = 0; j != wishes.size(); ++j)
            BOOST_TEST((wishes[i] == wishes[j]) == (i == j));
    BOOST_TEST((wishes.front() == typename Protection::attributes{}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_open_area_admits_what_it_was_opened_for, Model, models) {
    for (const auto& wished : test::attribute_models<typename Model::protection>()) {
        area<Model> it;
        BOOST_TEST(it.open(wished).has_value());
        for (const auto& other : test::attribute_models<typename Model::protection>())
            BOOST_TEST(it.protection.admits(it.state, other) == (other == wished));
        BOOST_TEST((it.protection.on_release(it.state) == release_action::reuse));
        it.check_strength();
        BOOST_TEST(it.close().has_value());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_area_can_be_opened_again_once_it_is_closed, Model, models) {
    area<Model> it;
    for (int round = 0; round != 3; ++round) {
        BOOST_TEST(it.open().has_value());
        if constexpr (can_close<Model>::value)
            BOOST_TEST(it.protection.protect(it.backing, it.region, it.state).has_value());
        BOOST_TEST(it.close().has_value());
        if (it.is_closed_for_good())
            return;
    }
    BOOST_TEST(it.open().has_value());
    it.check_strength();
    BOOST_TEST(it.close().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_could_not_be_opened_can_be_unmapped_or_tried_again, Model,
                              models) {
    for (const bool again : {false, true})
        fail_every_call([&](std::uint64_t n) {
            area<Model> it;
            fault_script* const script = test::script_of(it.rig);
            if (script == nullptr) {
                BOOST_TEST(it.open().has_value());
                return it.close().has_value();
            }
            script->fail_nth(backing_call::any, n);
            const bool opened = it.open().has_value();
            script->fail_nth(backing_call::any, 0);
            if (!opened && !again)
                return false;
            if (!opened)
                BOOST_TEST(it.open().has_value());
            it.check_strength();
            BOOST_TEST(it.close().has_value());
            return opened;
        });
}

using closing_models = boost::mp11::mp_copy_if<models, can_close>;

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_achieved_is_what_holds, Model, closing_models) {
    area<Model> it;
    BOOST_TEST(it.open().has_value());
    for (int time = 0; time != 2; ++time) { // the second changes nothing
        const auto got = it.protection.protect(it.backing, it.region, it.state);
        BOOST_TEST_REQUIRE(got.has_value());
        BOOST_TEST((*got == it.achieved()));
        BOOST_TEST((*got != strength::none));
        it.check_strength();
        for (const auto& wished : test::attribute_models<typename Model::protection>())
            BOOST_TEST((!faults_on_writes(*got) || !it.protection.admits(it.state, wished)));
    }
    BOOST_TEST(it.close().has_value());
}

/// With every demand that the policy knows.
template <class Model, class F>
void with_each_demand(F&& f) {
    using protection = typename Model::protection;
    f(test::make_protection<protection>());
    if constexpr (std::is_constructible_v<protection, demand>) {
        area<Model> it; // the machine may lack what is required
        it.protection = protection(demand::required);
        BOOST_TEST_REQUIRE(it.open().has_value());
        const bool is_there = it.protection.protect(it.backing, it.region, it.state).has_value();
        BOOST_TEST(it.close().has_value());
        if (is_there)
            f(protection(demand::required));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_could_not_be_protected_is_as_it_was_or_goes_on, Model,
                              closing_models) {
    with_each_demand<Model>([](auto protection) {
        fail_every_call([&](std::uint64_t n) {
            area<Model> it;
            it.protection = protection;
            BOOST_TEST_REQUIRE(it.open().has_value());
            const strength before = it.achieved();
            const auto kind =
                test::script_of(it.rig) != nullptr ? backing_call::any : backing_call::protect;
            test::fail_nth(it.rig, kind, n);
            const auto got = it.protection.protect(it.backing, it.region, it.state);
            test::fail_nth(it.rig, kind, 0);
            if (!got) {
                BOOST_TEST((it.achieved() == before || it.is_closed_for_good()));
                BOOST_TEST(it.protection.admits(it.state, {}) != it.is_closed_for_good());
                it.check_strength();
                BOOST_TEST(it.protection.protect(it.backing, it.region, it.state).has_value());
            }
            it.check_strength();
            BOOST_TEST(it.close().has_value());
            return got.has_value();
        });
    });
}

using window_models = boost::mp11::mp_copy_if<models, opens_windows>;

BOOST_AUTO_TEST_CASE_TEMPLATE(windows_open_onto_parts_of_an_area, Model, window_models) {
    for (const auto& wished : test::attribute_models<typename Model::protection>()) {
        area<Model> it;
        BOOST_TEST(it.open(wished).has_value());
        const range where = it.backing.where(it.region);
        for (const range part :
             {where, range{where.base + 100, 7}, range{where.base + 4096, 4097}}) {
            auto window = it.protection.open_window(it.backing, it.region, it.state, part);
            BOOST_TEST(window.has_value());
        }
        it.check_strength();
        BOOST_TEST(it.close().has_value());
    }
}

BOOST_AUTO_TEST_SUITE_END()
