// SPDX-License-Identifier: MIT
#include <palloc/core/layout.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>

namespace {

using namespace palloc;

constexpr auto largest = std::numeric_limits<std::uint64_t>::max();

BOOST_AUTO_TEST_CASE(checked_arithmetic_says_when_it_overflows) {
    BOOST_TEST(checked_add(largest - 1, std::uint64_t{1}).value() == largest);
    BOOST_TEST(!checked_add(largest, std::uint64_t{1}));
    BOOST_TEST(checked_multiply(largest / 3, std::uint64_t{3}).value() == largest);
    BOOST_TEST(!checked_multiply(largest / 3 + 1, std::uint64_t{3}));
    BOOST_TEST(checked_align_up(largest - 7, std::uint64_t{8}).value() == largest - 7);
    BOOST_TEST(!checked_align_up(largest - 6, std::uint64_t{8}));
}

BOOST_AUTO_TEST_CASE(rounding_lands_on_the_nearest_multiple) {
    for (std::uint64_t alignment = 1; alignment <= 64; alignment *= 2) {
        for (std::uint64_t value = 0; value <= 200; ++value) {
            const std::uint64_t below = value / alignment * alignment;
            BOOST_TEST(align_down(value, alignment) == below);
            BOOST_TEST(align_up(value, alignment) == (value == below ? below : below + alignment));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_layout_describes_objects_in_a_row) {
    struct alignas(16) wide {
        std::byte bytes[48];
    };
    BOOST_TEST((layout::of<wide>() == layout{48, 16}));
    BOOST_TEST((layout::array_of<wide>(3) == layout{144, 16}));
    BOOST_TEST(!layout::array_of<wide>(largest / 48 + 1));
    BOOST_TEST((layout{33, 16}.padded() == layout{48, 16}));
    BOOST_TEST((!layout{largest, 2}.padded()));
    BOOST_TEST((layout{1, 8}.valid()));
    BOOST_TEST((!layout{1, 0}.valid()));
    BOOST_TEST((!layout{1, 24}.valid()));
}

} // namespace
