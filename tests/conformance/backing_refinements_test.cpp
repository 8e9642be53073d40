// SPDX-License-Identifier: MIT
// What concepts/backing.hpp asks of backings that change what their memory allows: permissions,
// two views, seals, commitment, moved pages. Real memory is asked through the kernel.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "models/backings.hpp"
#include "support/backing_checks.hpp"
#include "support/rig_memory.hpp"

using namespace palloc;
using test::rig;

namespace {

template <class B>
struct changes_permissions
    : std::bool_constant<backing_can_map<B> && backing_can_change_permissions<B>> {};
template <class B>
struct has_two_views : std::bool_constant<backing_has_two_views<B>> {};
template <class B>
struct can_seal : std::bool_constant<backing_can_seal<B>> {};
template <class B>
struct can_commit : std::bool_constant<backing_can_commit<B>> {};
template <class B>
struct can_move_pages : std::bool_constant<backing_can_move_pages<B>> {};

template <class B>
struct can_discard : std::bool_constant<backing_can_discard<B>> {};

template <template <class> class Has>
using models_that = boost::mp11::mp_copy_if<test::backing_models, Has>;

/// What is never executable says so.
template <class B>
inline constexpr bool may_be_executable = !requires { requires !B::is_executable; };

/// A backing with a region of six pages that are there.
template <class Backing>
struct scene {
    scene() {
        if constexpr (backing_can_commit<Backing>)
            BOOST_TEST_REQUIRE(backing.commit(region, where).has_value());
    }
    scene(const scene&) = delete;
    scene& operator=(const scene&) = delete;
    ~scene() { BOOST_TEST(backing.unmap(region).has_value()); }

    [[nodiscard]] range part(std::uint64_t first, std::uint64_t count) const {
        return {where.base + first * page, count * page};
    }

    rig<Backing> it{};
    Backing& backing = it.backing;
    std::uint64_t page = backing.page_bytes();
    typename Backing::region region = backing.map({.bytes = 6 * page}).value();
    range where = backing.where(region);
    test::rig_memory<rig<Backing>> memory{it};
};

} // namespace

BOOST_AUTO_TEST_SUITE(refined_backings)

BOOST_AUTO_TEST_CASE_TEMPLATE(permissions_are_those_of_the_pages_asked_for, Backing,
                              models_that<changes_permissions>) {
    scene<Backing> it;
    const auto allow = [&](range part, permissions allowed) {
        return it.backing.protect(it.region, part, allowed);
    };
    BOOST_TEST(it.memory.writable(it.where));
    for (const permissions allowed : {permissions::read, permissions::none,
                                      permissions::read_execute, permissions::read_write}) {
        if (executable(allowed) && !may_be_executable<Backing>) {
            BOOST_TEST(!allow(it.part(2, 2), allowed).has_value());
            continue;
        }
        BOOST_TEST(allow(it.part(2, 2), allowed).has_value());
        BOOST_TEST(it.memory.readable(it.part(2, 2)) == (allowed != permissions::none));
        BOOST_TEST(it.memory.writable(it.part(2, 2)) == writable(allowed));
        BOOST_TEST((it.memory.writable(it.part(0, 2)) && it.memory.writable(it.part(4, 2))));
    }
    BOOST_TEST(allow(it.where, permissions::read).has_value());
    BOOST_TEST(allow(it.part(3, 1), permissions::read_write).has_value());
    BOOST_TEST(it.memory.writable(it.part(3, 1)));
    BOOST_TEST((!it.memory.writable(it.part(0, 3)) && !it.memory.writable(it.part(4, 2))));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(permissions_of_anything_else_are_refused, Backing,
                              models_that<changes_permissions>) {
    scene<Backing> it;
    for (const range wrong :
         {range{it.where.base + 1, it.page}, range{it.where.base, it.page - 1},
          range{it.where.base - it.page, it.page}, it.part(0, 7), it.part(5, 2)})
        test::check_fails(it.backing.protect(it.region, wrong, permissions::none),
                          {errc::bad_argument});
    BOOST_TEST(it.memory.writable(it.where));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(permissions_stay_where_a_change_fails, Backing,
                              models_that<changes_permissions>) {
    scene<Backing> it;
    BOOST_TEST_REQUIRE(test::fail_nth(it.it, backing_call::protect, 1));
    BOOST_TEST(!it.backing.protect(it.region, it.where, permissions::read).has_value());
    BOOST_TEST(it.memory.writable(it.where));
    BOOST_TEST(it.backing.protect(it.region, it.where, permissions::read).has_value());
    BOOST_TEST(!it.memory.writable(it.where));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_alias_is_writable_and_elsewhere, Backing,
                              models_that<has_two_views>) {
    scene<Backing> it;
    const address alias = it.backing.open_alias(it.region).value();
    const range view{alias, it.where.bytes};
    BOOST_TEST(!view.overlaps(it.where));
    BOOST_TEST(it.backing.where(it.region) == it.where);
    for (const permissions allowed :
         {permissions::read_execute, permissions::none, permissions::read}) {
        BOOST_TEST(it.backing.replace_view(it.region, allowed).has_value());
        BOOST_TEST(!it.memory.writable(it.where));
        BOOST_TEST(it.memory.readable(it.where) == (allowed != permissions::none));
        BOOST_TEST(it.memory.writable(view));
    }
    if (const fake_space* const space = test::space_of(it.it)) // it is the same memory
        for (const std::uint64_t at : {std::uint64_t{0}, it.page + 7, it.where.bytes - 1})
            BOOST_TEST(space->content_at(alias + at) == space->content_at(it.where.base + at));
    BOOST_TEST(!it.backing.open_alias(it.region).has_value()); // there is one
    BOOST_TEST(it.backing.close_alias(it.region).has_value());
    BOOST_TEST((!it.memory.readable(view) && it.memory.readable(it.where)));
    BOOST_TEST(!it.backing.close_alias(it.region).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(views_stay_where_a_change_fails, Backing,
                              models_that<has_two_views>) {
    scene<Backing> it;
    const auto fails_once = [&](backing_call kind, auto&& call) {
        BOOST_TEST_REQUIRE(test::fail_nth(it.it, kind, 1));
        BOOST_TEST(!call().has_value());
        BOOST_TEST(call().has_value());
    };
    fails_once(backing_call::open_alias, [&] { return it.backing.open_alias(it.region); });
    BOOST_TEST_REQUIRE(test::fail_nth(it.it, backing_call::replace_view, 1));
    BOOST_TEST(!it.backing.replace_view(it.region, permissions::read).has_value());
    BOOST_TEST(it.memory.writable(it.where));
    fails_once(backing_call::close_alias, [&] { return it.backing.close_alias(it.region); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_opens_a_seal, Backing, models_that<can_seal>) {
    scene<Backing> it;
    BOOST_TEST(!it.backing.seal(it.region).has_value()); // it can be written through the main view
    BOOST_TEST(it.backing.open_alias(it.region).has_value());
    BOOST_TEST(it.backing.replace_view(it.region, permissions::read).has_value());
    BOOST_TEST(!it.backing.seal(it.region).has_value()); // and through the alias
    BOOST_TEST(it.backing.close_alias(it.region).has_value());
    BOOST_TEST(it.backing.seal(it.region).has_value());

    BOOST_TEST(!it.backing.open_alias(it.region).has_value());
    BOOST_TEST(!it.backing.replace_view(it.region, permissions::read_write).has_value());
    BOOST_TEST(!it.backing.protect(it.region, it.where, permissions::read_write).has_value());
    BOOST_TEST((it.memory.readable(it.where) && !it.memory.writable(it.where)));
    BOOST_TEST(it.backing.replace_view(it.region, permissions::read_execute).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(memory_is_there_once_it_is_committed, Backing,
                              models_that<can_commit>) {
    scene<Backing> it;
    const auto is_there = [&](std::vector<bool> expected) {
        for (std::uint64_t page = 0; page != expected.size(); ++page)
            BOOST_TEST(it.memory.writable(it.part(page, 1)) == expected[page], "page " << page);
    };
    is_there({true, true, true, true, true, true});
    BOOST_TEST(it.backing.decommit(it.region, it.part(1, 4)).has_value());
    is_there({true, false, false, false, false, true});
    BOOST_TEST(it.backing.commit(it.region, it.part(2, 1)).has_value());
    BOOST_TEST(it.backing.commit(it.region, it.part(2, 2)).has_value()); // one of them is there
    is_there({true, false, true, true, false, true});
    BOOST_TEST(it.backing.decommit(it.region, it.part(0, 6)).has_value()); // some are not
    is_there({false, false, false, false, false, false});
    BOOST_TEST(!it.backing.commit(it.region, it.part(5, 2)).has_value());
    BOOST_TEST(!it.backing.decommit(it.region, it.part(5, 2)).has_value());
    is_there({false, false, false, false, false, false});
}

/// What a place holds: told by the simulated space, or what the case itself wrote there.
template <class Backing>
std::uint64_t content_at(scene<Backing>& it, address at) {
    if (const fake_space* const space = test::space_of(it.it))
        return space->content_at(at);
    return *reinterpret_cast<const volatile unsigned char*>(at);
}
/// Writes something that is not zero, where there is anything to write to.
template <class Backing>
void mark(scene<Backing>& it, address at, unsigned char sign) {
    if (test::space_of(it.it) == nullptr)
        *reinterpret_cast<volatile unsigned char*>(at) = sign;
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_committed_stays_as_it_is, Backing, models_that<can_commit>) {
    scene<Backing> it;
    mark(it, it.where.base, 7);
    const auto before = content_at(it, it.where.base);
    BOOST_TEST(it.backing.commit(it.region, it.where).has_value());
    BOOST_TEST(content_at(it, it.where.base) == before);
    BOOST_TEST(test::fail_nth(it.it, backing_call::decommit, 1));
    BOOST_TEST(!it.backing.decommit(it.region, it.where).has_value());
    BOOST_TEST(content_at(it, it.where.base) == before);
    BOOST_TEST(it.backing.decommit(it.region, it.where).has_value());
    BOOST_TEST(it.backing.commit(it.region, it.where).has_value());
    BOOST_TEST(content_at(it, it.where.base) != before); // fresh, so nothing shows through
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pages_move_with_what_they_hold, Backing,
                              models_that<can_move_pages>) {
    scene<Backing> it;
    auto other = it.backing.map({.bytes = 6 * it.page}).value();
    const address target = it.backing.where(other).base + it.page;
    const range source = it.part(2, 2);
    const address last = source.bytes - 1;
    mark(it, source.base, 7);
    mark(it, source.base + last, 9);
    const auto first_byte = content_at(it, source.base);
    const auto last_byte = content_at(it, source.base + last);
    const auto move = [&](range part, address place) {
        return it.backing.move_pages(it.region, part, other, place);
    };
    BOOST_TEST(!move(it.part(2, 5), target).has_value());        // outside
    BOOST_TEST(!move(source, target + 4 * it.page).has_value()); // runs out
    BOOST_TEST(test::fail_nth(it.it, backing_call::move_pages, 1));
    BOOST_TEST(!move(source, target).has_value());
    BOOST_TEST(content_at(it, source.base) == first_byte);
    BOOST_TEST(move(source, target).has_value());
    BOOST_TEST(content_at(it, target) == first_byte);
    BOOST_TEST(content_at(it, target + last) == last_byte);
    BOOST_TEST((!it.memory.readable(source) && it.memory.writable({target, source.bytes})));
    BOOST_TEST((it.memory.writable(it.part(0, 2)) && it.memory.writable(it.part(4, 2))));
    BOOST_TEST(it.backing.unmap(other).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_discarded_is_fresh, Backing, models_that<can_discard>) {
    scene<Backing> it;
    const auto is_marked = [&](std::uint64_t page) {
        const auto here = content_at(it, it.part(page, 1).base);
        return test::space_of(it.it) == nullptr ? here != 0 : here <= 6 * it.page;
    };
    for (std::uint64_t page = 0; page != 6; ++page)
        mark(it, it.part(page, 1).base, 7);
    BOOST_TEST(test::fail_nth(it.it, backing_call::discard, 1));
    BOOST_TEST(!it.backing.discard(it.region, it.part(1, 2)).has_value());
    BOOST_TEST((is_marked(1) && is_marked(2)));
    BOOST_TEST(!it.backing.discard(it.region, it.part(5, 2)).has_value());
    BOOST_TEST(is_marked(5));
    BOOST_TEST(it.backing.discard(it.region, it.part(1, 2)).has_value());
    BOOST_TEST((is_marked(0) && !is_marked(1) && !is_marked(2) && is_marked(3)));
    BOOST_TEST((it.memory.writable(it.where) && it.memory.readable(it.where)));
    BOOST_TEST(it.backing.discard(it.region, {it.where.base, 0}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
