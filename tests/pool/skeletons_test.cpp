// SPDX-License-Identifier: MIT
// The four shapes that the named systems will have, each as small as it can be: if the concepts do
// not carry these, they carry nothing.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>

#include "support/skeleton_protections.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t page = 4096;

/// What a segment of shared memory would be: every view hands out the same places in the same
/// order.
struct segment_view {
    std::byte* next;

    result<std::byte*> take(std::size_t bytes) noexcept {
        std::byte* const here = next;
        next += align_up(bytes, storage_alignment);
        return here;
    }
    void give_back(std::byte*, std::size_t) noexcept {}
};

} // namespace

BOOST_AUTO_TEST_SUITE(skeletons)

BOOST_AUTO_TEST_CASE(two_areas_of_which_one_is_protected) {
    fake_space space;
    pool<static_granule<64>, fake, boundary<flat>, first_fit, test::closes_areas> pool(
        {.growth = growth_policy::refill(page)}, {}, fake(space));
    const address frozen = pool.allocate(100).value();
    BOOST_TEST(!space.write_faults(frozen));
    BOOST_TEST((pool.protect().value() == strength::read_only));
    BOOST_TEST(space.write_faults(frozen));

    const address fresh = pool.allocate(100).value();
    BOOST_TEST(pool.chunk_count() == 2u);
    BOOST_TEST(frozen / page != fresh / page);
    BOOST_TEST(!space.write_faults(fresh));
    BOOST_TEST((pool.achieved(frozen) == strength::read_only));
    BOOST_TEST((pool.achieved(fresh) == strength::none));

    BOOST_TEST(pool.deallocate(frozen).has_value()); // dead, not reused
    BOOST_TEST(pool.deallocate(fresh).has_value());
    BOOST_TEST(pool.allocate(100).value() == fresh);
    pool.reset();
    BOOST_TEST(pool.used_bytes() == 128u); // the dead block stays
    BOOST_TEST(pool.protect().has_value());
    BOOST_TEST((pool.allocate({.bytes = 1, .may_map = false}).error().code == errc::is_protected));
}

BOOST_AUTO_TEST_CASE(two_permissions_are_packed_but_never_share_a_page) {
    fake_space space;
    using packing =
        pool<static_granule<64>, fake, boundary<flat>, first_fit, test::one_permission_an_area>;
    packing pool({.growth = growth_policy::refill(page)}, {}, fake(space));
    const auto ask = [&](permissions wanted) {
        return pool.allocate({.bytes = 64, .wished = {wanted}}).value();
    };
    const address code = ask(permissions::read_execute);
    const address data = ask(permissions::read);
    BOOST_TEST(ask(permissions::read_execute) == code + 64);
    BOOST_TEST(ask(permissions::read) == data + 64);
    BOOST_TEST(code / page != data / page);
    BOOST_TEST(space.write_faults(code));

    const auto window = pool.open_window({code, 64}).value();
    BOOST_TEST(window.writable.base != code);
    BOOST_TEST(!space.write_faults(window.writable.base));
    pool.reset();
}

BOOST_AUTO_TEST_CASE(a_block_grows_by_moving_its_pages) {
    fake_space space;
    pool<static_granule<page>, fake, flat, first_fit, unprotected> pool({}, {}, fake(space));
    BOOST_TEST(pool.grow(16 * page).has_value());
    const address block = pool.allocate(2 * page).value();
    BOOST_TEST(pool.relocate(block, 2 * page, 3 * page).value() == block); // in place

    const address neighbour = pool.allocate(page).value();
    const auto content = space.content_at(block);
    BOOST_TEST(content != 0u);
    const address moved = pool.relocate(block, 3 * page, 5 * page).value();
    BOOST_TEST(moved != block);
    BOOST_TEST(space.content_at(moved) == content);
    BOOST_TEST(space.write_faults(block)); // nothing is committed there any more
    BOOST_TEST(!space.write_faults(moved + 5 * page - 1));
    BOOST_TEST(pool.allocate(3 * page).value() == block);

    space.script.fail_nth(backing_call::move_pages, 1);
    const std::uint64_t used = pool.used_bytes();
    BOOST_TEST(pool.allocate(page).has_value()); // what lies behind the moved block
    BOOST_TEST(!pool.relocate(moved, 5 * page, 6 * page).has_value());
    BOOST_TEST(pool.used_bytes() == used + page); // as if it had not been asked
    BOOST_TEST(space.content_at(moved) == content);
    (void)neighbour;
    pool.reset();
}

BOOST_AUTO_TEST_CASE(a_second_view_attaches_to_the_metadata) {
    using shared =
        pool<static_granule<64>, fake_demand_paged, boundary<flat>, first_fit, unprotected>;
    alignas(storage_alignment) std::array<std::byte, 4096> segment{};
    segment_view here{segment.data()};
    segment_view there{segment.data()};
    fake_space my_addresses;
    fake_space their_addresses;
    shared mine({.maps = here}, {}, fake_demand_paged(my_addresses));
    shared theirs({.maps = there}, {}, fake_demand_paged(their_addresses));
    const address my_base = 0x10000;
    const address their_base = 0x770000; // each process has its own
    BOOST_TEST(mine.add({.where = {my_base, page}}).has_value());
    const address first = mine.allocate(100).value();

    BOOST_TEST(theirs.add({.where = {their_base, page}}).has_value());
    BOOST_TEST(theirs.used_bytes() == 128u);
    const address second = theirs.allocate(64).value();
    BOOST_TEST(second - their_base == first - my_base + 128);
    BOOST_TEST(theirs.deallocate(first - my_base + their_base).has_value());
    BOOST_TEST(mine.used_bytes() == 64u);
    BOOST_TEST(mine.deallocate(second - their_base + my_base).has_value());
    BOOST_TEST(theirs.used_bytes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
