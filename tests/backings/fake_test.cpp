// SPDX-License-Identifier: MIT
#include <palloc/backings/fake.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <map>
#include <vector>

#include "support/backing_checks.hpp"

namespace {

using namespace palloc;

constexpr std::uint64_t page = 4096;

BOOST_AUTO_TEST_CASE(maps_and_unmaps) {
    fake_space space;
    fake backing(space);
    test::check_mapping(backing);
    test::check_refusals(backing);
    BOOST_TEST(space.mapped_bytes() == 0);
    BOOST_TEST(space.committed_bytes() == 0);
}

BOOST_AUTO_TEST_CASE(pages_may_be_of_any_size) {
    fake_space space(12'345);
    fake backing(space);
    const auto region = backing.map({.bytes = 12'346}).value();
    BOOST_TEST(backing.where(region).bytes == 2 * 12'345);
}

BOOST_AUTO_TEST_CASE(there_are_2_to_the_47_addresses) {
    fake_space space;
    fake backing(space);
    auto region = backing.map({.bytes = (std::uint64_t{1} << 47) - 4096}).value();
    BOOST_TEST(backing.where(region).base == 4096);
    test::check_fails(backing.map({.bytes = 1}), {errc::out_of_memory});
    BOOST_TEST(backing.unmap(region).has_value());
    test::check_fails(backing.map({.bytes = std::uint64_t{1} << 47}), {errc::out_of_memory});
    test::check_fails(backing.map({.bytes = ~std::uint64_t{0}}), {errc::too_large});
    BOOST_TEST(backing.map({.bytes = 1}).has_value());
}

BOOST_AUTO_TEST_CASE(addresses_are_not_used_again_at_once) {
    fake_space space;
    fake backing(space);
    auto first = backing.map({.bytes = page}).value();
    const address was = backing.where(first).base;
    BOOST_TEST(backing.unmap(first).has_value());
    BOOST_TEST(backing.where(backing.map({.bytes = page}).value()).base > was);
}

BOOST_AUTO_TEST_CASE(a_range_is_honoured_and_filled_completely) {
    fake_space space;
    fake backing(space);
    const range within{10 * page + 1, 5 * page};
    for (address expected = 11 * page; expected < 15 * page; expected += page) {
        const auto region = backing.map({.bytes = 1, .within = within}).value();
        BOOST_TEST(backing.where(region).base == expected);
    }
    test::check_fails(backing.map({.bytes = 1, .within = within}), {errc::out_of_memory});
}

BOOST_AUTO_TEST_CASE(neighbours_that_are_gone_leave_one_gap) {
    fake_space space;
    fake backing(space);
    const range within{16 * page, 2 * page};
    auto low = backing.map({.bytes = page, .within = within}).value();
    auto high = backing.map({.bytes = page, .within = within}).value();
    BOOST_TEST(backing.unmap(low).has_value());
    test::check_fails(backing.map({.bytes = 2 * page, .within = within}), {errc::out_of_memory});
    BOOST_TEST(backing.unmap(high).has_value());
    BOOST_TEST(backing.map({.bytes = 2 * page, .within = within}).has_value());
}

BOOST_AUTO_TEST_CASE(adopts_what_is_free) {
    int owner = 0;
    fake_space space;
    fake backing(space);
    const address top = ~address{0} - 99;
    auto region = backing.adopt({.where = {top, 100}, .physical = 0x40, .owner = &owner}).value();
    BOOST_TEST(!space.write_faults(~address{0}));
    BOOST_TEST(space.write_faults(top - 1));
    BOOST_TEST(backing.physical(region, top + 5).value() == 0x45);
    BOOST_TEST(backing.owner(region) == &owner);
    test::check_fails(backing.physical(region, top - 1), {errc::not_ours});
    test::check_fails(backing.adopt({.where = {top + 99, 1}}), {errc::overlap});
    test::check_fails(backing.adopt({.where = {top, 101}}), {errc::bad_argument});
    BOOST_TEST(space.mapped_bytes() == 100);
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(space.mapped_bytes() == 0);
    const auto other = backing.adopt({.where = {top, 1}}).value();
    test::check_fails(backing.physical(other, top), {errc::not_supported});
}

BOOST_AUTO_TEST_CASE(accesses_fault_as_the_permissions_say) {
    fake_space space;
    fake_demand_paged backing(space);
    auto region = backing.map({.bytes = 3 * page}).value();
    const address base = backing.where(region).base;
    const auto faults = [&](address at) {
        return std::vector{space.read_faults(at), space.write_faults(at), space.execute_faults(at)};
    };
    using wanted = std::vector<bool>;
    BOOST_TEST((faults(base + page) == wanted{false, false, true}));
    BOOST_TEST((faults(base + 3 * page) == wanted{true, true, true}));
    const std::map<permissions, wanted> table{{permissions::none, {true, true, true}},
                                              {permissions::read, {false, true, true}},
                                              {permissions::read_write, {false, false, true}},
                                              {permissions::read_execute, {false, true, false}}};
    for (const auto& [allowed, expected] : table) {
        BOOST_TEST(backing.protect(region, {base + page, page}, allowed).has_value());
        BOOST_TEST((faults(base + page) == expected));
        BOOST_TEST((faults(base + 2 * page - 1) == expected));
        BOOST_TEST((space.permissions_at(base + page) == allowed));
        BOOST_TEST((faults(base) == wanted{false, false, true}));
        BOOST_TEST((faults(base + 2 * page) == wanted{false, false, true}));
    }
    for (const range wrong : {range{base + 1, page}, range{base, page - 1}, range{base, 4 * page}})
        test::check_fails(backing.protect(region, wrong, permissions::read), {errc::bad_argument});
}

BOOST_AUTO_TEST_CASE(two_views_show_the_same_memory_until_it_is_sealed) {
    fake_space space;
    fake_demand_paged backing(space);
    auto region = backing.map({.bytes = 2 * page}).value();
    const range where = backing.where(region);
    const address alias = backing.open_alias(region).value();
    test::check_fails(backing.open_alias(region), {errc::bad_argument});
    BOOST_TEST(space.content_at(alias + 5000) == space.content_at(where.base + 5000));
    BOOST_TEST(space.mapped_bytes() == 2 * where.bytes);
    BOOST_TEST(backing.replace_view(region, permissions::read).has_value());
    BOOST_TEST((space.write_faults(where.base) && !space.write_faults(alias)));
    test::check_fails(backing.seal(region), {errc::os_failure, EBUSY});
    BOOST_TEST(backing.close_alias(region).has_value());
    test::check_fails(backing.close_alias(region), {errc::bad_argument});
    BOOST_TEST(space.read_faults(alias));
    BOOST_TEST(backing.replace_view(region, permissions::read_write).has_value());
    test::check_fails(backing.seal(region), {errc::os_failure, EBUSY});
    BOOST_TEST(backing.replace_view(region, permissions::read).has_value());
    BOOST_TEST(backing.seal(region).has_value());
    const error denied{errc::os_failure, EPERM};
    test::check_fails(backing.open_alias(region), denied);
    test::check_fails(backing.replace_view(region, permissions::read_write), denied);
    test::check_fails(backing.protect(region, where, permissions::read_write), denied);
    BOOST_TEST(backing.protect(region, where, permissions::read_execute).has_value());
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(space.mapped_bytes() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_committed_is_there_in_every_view) {
    fake_space space;
    fake backing(space);
    auto region = backing.map({.bytes = std::uint64_t{1} << 46}).value();
    const address base = backing.where(region).base;
    BOOST_TEST(space.write_faults(base));
    BOOST_TEST(backing.commit(region, {base + 10, 20}).has_value());
    BOOST_TEST((!space.is_committed(base + 9) && space.is_committed(base + 10)));
    BOOST_TEST((space.is_committed(base + 29) && !space.is_committed(base + 30)));
    const std::uint64_t content = space.content_at(base + 10);
    BOOST_TEST(backing.commit(region, {base, 15}).has_value());
    BOOST_TEST(space.content_at(base + 10) == content);
    BOOST_TEST(space.committed_bytes() == 30);
    BOOST_TEST(backing.decommit(region, {base + 5, 10}).has_value());
    BOOST_TEST(space.committed_bytes() == 20);
    BOOST_TEST(space.read_faults(base + 14));
    BOOST_TEST(backing.unmap(region).has_value());
    BOOST_TEST(space.committed_bytes() == 0);

    auto seen_twice = backing.map({.bytes = page}).value();
    const address alias = backing.open_alias(seen_twice).value();
    const address first = backing.where(seen_twice).base;
    BOOST_TEST(backing.commit(seen_twice, {first + 100, 10}).has_value());
    BOOST_TEST(space.content_at(alias + 105) == space.content_at(first + 105));
    BOOST_TEST((!space.write_faults(alias + 109) && space.write_faults(alias + 110)));
    test::check_fails(backing.commit(seen_twice, {first, page + 1}), {errc::bad_argument});
    test::check_fails(backing.decommit(seen_twice, {first - 1, 1}), {errc::bad_argument});
}

BOOST_AUTO_TEST_CASE(pages_move_with_their_contents) {
    fake_space space;
    fake backing(space);
    auto from = backing.map({.bytes = 4 * page}).value();
    auto to = backing.map({.bytes = 4 * page}).value();
    const address a = backing.where(from).base;
    const address b = backing.where(to).base;
    BOOST_TEST(backing.commit(from, {a + page, page}).has_value());
    BOOST_TEST(backing.commit(from, {a, 3 * page}).has_value());
    const std::uint64_t first = space.content_at(a);
    const std::uint64_t middle = space.content_at(a + page + 7);
    BOOST_TEST(backing.move_pages(from, {a, 3 * page}, to, b + page).has_value());
    BOOST_TEST(space.content_at(b + page) == first);
    BOOST_TEST(space.content_at(b + 2 * page + 7) == middle);
    BOOST_TEST(space.committed_bytes() == 3 * page);
    BOOST_TEST((space.read_faults(a) && !space.write_faults(b + page)));

    const auto move = [&](range part, address place) {
        return backing.move_pages(to, part, to, place);
    };
    const error wrong{errc::bad_argument};
    test::check_fails(move({b, page}, b + 2 * page), wrong);        // not committed
    test::check_fails(move({b + page, 2 * page}, b), wrong);        // over each other
    test::check_fails(move({b + page, page}, b + 4 * page), wrong); // outside
    BOOST_TEST(space.content_at(b + page) == first);
    BOOST_TEST(move({b + page, page}, b).has_value());
    BOOST_TEST(space.content_at(b) == first);
}

BOOST_AUTO_TEST_CASE(a_scripted_failure_changes_nothing_and_is_logged) {
    fake_space space;
    fake backing(space);
    space.start_log();
    space.script.fail_nth(backing_call::map, 2, error{errc::os_failure, ENOMEM});
    auto region = backing.map({.bytes = page}).value();
    test::check_fails(backing.map({.bytes = page}), {errc::os_failure, ENOMEM});
    BOOST_TEST(space.mapped_bytes() == page);
    const range where = backing.where(region);
    space.script.fail_nth(backing_call::commit, 1);
    test::check_fails(backing.commit(region, where), {errc::os_failure});
    BOOST_TEST(space.committed_bytes() == 0);
    space.script.fail_nth(backing_call::unmap, 1);
    test::check_fails(backing.unmap(region), {errc::os_failure});
    BOOST_TEST(backing.where(region) == where);
    BOOST_TEST(backing.unmap(region).has_value());
    const std::vector<fake_space::call> expected{{backing_call::map, {0, page}, true},
                                                 {backing_call::map, {0, page}, false},
                                                 {backing_call::commit, where, false},
                                                 {backing_call::unmap, where, false},
                                                 {backing_call::unmap, where, true}};
    BOOST_TEST((space.log() == expected));
}

BOOST_AUTO_TEST_CASE(state_is_that_of_each_byte) {
    test::random_source random;
    fake_space space;
    fake backing(space);
    constexpr std::size_t size = 300;
    auto region = backing.adopt({.where = {1000, size}}).value();
    std::vector<bool> committed(size, true);
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step < 2'000; ++step) {
            const std::size_t first = random.below(size);
            const std::size_t count = random.between(0, size - first);
            const bool commit = random.chance(50);
            const range part{1000 + first, count};
            BOOST_TEST((commit ? backing.commit(region, part) : backing.decommit(region, part))
                           .has_value());
            std::fill_n(committed.begin() + static_cast<std::ptrdiff_t>(first), count, commit);
            const std::size_t any = random.below(size);
            BOOST_TEST(space.is_committed(1000 + any) == committed[any]);
            BOOST_TEST(space.committed_bytes() == static_cast<std::uint64_t>(std::count(
                                                      committed.begin(), committed.end(), true)));
        }
    }
}

} // namespace
