// SPDX-License-Identifier: MIT
#include <palloc/compositions/size_class_grid.hpp>

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/check.hpp"

using namespace palloc;

namespace {

using grids = boost::mpl::list<size_class_grid<0>, size_class_grid<1>, size_class_grid<>,
                               size_class_grid<3>, size_class_grid<4>>;

template <class Grid>
std::vector<std::uint64_t> first_classes(std::size_t count) {
    std::vector<std::uint64_t> sizes;
    for (std::size_t i = 0; i != count; ++i)
        sizes.push_back(Grid::bytes(i));
    return sizes;
}

} // namespace

BOOST_AUTO_TEST_SUITE(grid)

BOOST_AUTO_TEST_CASE(has_the_documented_sizes) {
    const std::vector<std::uint64_t> four{16,  32,  48,  64,  80,  96,  112, 128, 160,
                                          192, 224, 256, 320, 384, 448, 512, 640};
    BOOST_TEST(first_classes<size_class_grid<>>(four.size()) == four);
    const std::vector<std::uint64_t> eight{16,  32,  48,  64,  80,  96,  112, 128, 144,
                                           160, 176, 192, 208, 224, 240, 256, 288, 320};
    BOOST_TEST(first_classes<size_class_grid<3>>(eight.size()) == eight);
    const std::vector<std::uint64_t> one{16, 32, 64, 128, 256};
    BOOST_TEST(first_classes<size_class_grid<0>>(one.size()) == one);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(every_size_gets_the_smallest_class_that_holds_it, Grid, grids) {
    std::size_t expected = 0;
    for (std::uint64_t bytes = 1; bytes <= 70'000; ++bytes) {
        if (bytes > Grid::bytes(expected))
            ++expected;
        test::check(Grid::index(bytes) == expected);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(classes_end_beyond_any_memory, Grid, grids) {
    for (unsigned bit = 17; bit != 62; ++bit)
        for (const std::uint64_t bytes : {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit,
                                          (std::uint64_t{1} << bit) + 1}) {
            const std::size_t i = Grid::index(bytes);
            test::check(Grid::bytes(i) >= bytes && Grid::bytes(i - 1) < bytes);
        }
}

BOOST_AUTO_TEST_SUITE_END()
