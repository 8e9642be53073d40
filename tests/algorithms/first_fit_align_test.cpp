// SPDX-License-Identifier: MIT
#include <palloc/algorithms/first_fit_align.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>

#include "support/scene.hpp"

namespace {

using namespace palloc;

/// What the kernel does, in its own order of steps. It never ends where it comes back to a start;
/// then there is no answer.
std::optional<std::size_t> as_the_kernel_does(const test::scene& it, std::int64_t alignment) {
    const placement& q = it.request;
    const auto unsigned_alignment = static_cast<std::uint64_t>(alignment);
    const std::uint64_t mask = (unsigned_alignment + q.granule_bytes - 1) / q.granule_bytes - 1;
    const std::uint64_t offset = (q.base & (unsigned_alignment - 1)) / q.granule_bytes;
    const auto busy_at = [&](std::uint64_t i) {
        return it.bitmap.test(static_cast<std::size_t>(i));
    };
    std::set<std::uint64_t> visited;
    for (std::uint64_t start = q.from; start <= q.limit && visited.insert(start).second;) {
        std::uint64_t index = start;
        while (index < q.limit && busy_at(index))
            ++index;
        index = ((index + offset + mask) & ~mask) - offset;
        const std::uint64_t end = index + q.count;
        if (end > q.limit)
            return std::nullopt;
        std::uint64_t busy = index;
        while (busy < end && !busy_at(busy))
            ++busy;
        if (busy >= end)
            return index < q.limit ? std::optional(static_cast<std::size_t>(index)) : std::nullopt;
        start = busy + 1;
    }
    return std::nullopt;
}

BOOST_AUTO_TEST_CASE(places_as_the_kernel_does) {
    test::over_scenes([](test::scene& it, test::random_source& random) {
        it.request.mask = 0; // the kernel has no other alignment
        it.request.phase = 0;
        const auto granule = static_cast<std::int64_t>(it.request.granule_bytes);
        const auto some = static_cast<std::int64_t>(random.below(70'000));
        for (const std::int64_t alignment :
             {std::int64_t{0}, std::int64_t{1}, granule / 2, granule, 2 * granule, 8 * granule,
              3 * granule, some, some % 300, std::int64_t{1} << random.below(62)}) {
            BOOST_TEST_CONTEXT("alignment " << alignment) {
                BOOST_TEST(test::place{first_fit_align(alignment)(it.bitmap, it.request)} ==
                           test::place{as_the_kernel_does(it, alignment)});
            }
        }
    });
}

/// Claims one granule after another, and tells where they lay.
std::vector<std::size_t> places(test::scene& it, std::int64_t alignment, std::size_t number) {
    std::vector<std::size_t> found;
    while (found.size() < number) {
        const auto place = first_fit_align(alignment)(it.bitmap, it.request);
        if (!place)
            break;
        it.bitmap.claim({*place, it.request.count});
        found.push_back(*place);
    }
    return found;
}

BOOST_AUTO_TEST_CASE(an_alignment_that_is_no_power_of_two_aligns_to_nothing) {
    test::scene it(20);
    it.request.granule_bytes = 64;
    const std::vector<std::size_t> expected{0, 1, 4, 5, 8, 9, 12, 13, 16, 17};
    BOOST_TEST(places(it, 192, 20) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_power_of_two_aligns_the_address_down_to_granules) {
    test::scene it(20);
    it.request.granule_bytes = 64;
    it.request.base = 0x1040;
    const std::vector<std::size_t> expected{3, 7, 11, 15, 19};
    BOOST_TEST(places(it, 256, 20) == expected, boost::test_tools::per_element());

    test::scene blind(2); // what of the base is less than a granule is not seen
    blind.request.granule_bytes = 64;
    blind.request.base = 0x1008;
    BOOST_TEST(first_fit_align(128)(blind.bitmap, blind.request).value() == 0);
}

BOOST_AUTO_TEST_CASE(alignment_0_serves_an_empty_chunk_below_one_granule_and_else_ends) {
    test::scene it(8);
    it.request.granule_bytes = 64;
    it.request.base = 63;
    BOOST_TEST(first_fit_align(0)(it.bitmap, it.request).value() == 0);
    it.bitmap.claim({0, 1});
    BOOST_TEST(!first_fit_align(0)(it.bitmap, it.request));
    it.request.base = 64;
    it.bitmap.reset();
    BOOST_TEST(!first_fit_align(0)(it.bitmap, it.request));
    BOOST_TEST(!first_fit_align(-1)(it.bitmap, it.request));
}

BOOST_AUTO_TEST_CASE(keeps_the_alignment_of_the_request_as_well) {
    test::over_scenes([](test::scene& it, test::random_source& random) {
        const std::size_t granules = std::size_t{1} << random.below(5);
        const auto alignment = static_cast<std::int64_t>(granules * it.request.granule_bytes);
        auto allowed = it.positions();
        const std::uint64_t base = it.request.base / it.request.granule_bytes;
        std::erase_if(allowed,
                      [&](std::size_t position) { return (base + position) % granules != 0; });
        const auto answer = first_fit_align(alignment)(it.bitmap, it.request);
        test::check_is_one_of(answer, allowed);
        if (answer)
            BOOST_TEST(*answer == allowed.front());
        const auto odd = first_fit_align(3 * alignment)(it.bitmap, it.request);
        if (odd)
            BOOST_TEST((it.request.legal(*odd) && it.bitmap.is_free({*odd, it.request.count})));
    });
}

} // namespace
