// SPDX-License-Identifier: MIT
// The pages of a block through range-v3's views.
#include <palloc/kalloc.hpp>
#include <palloc/views.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <range/v3/algorithm/count_if.hpp>
#include <range/v3/algorithm/find_if.hpp>
#include <range/v3/algorithm/for_each.hpp>
#include <range/v3/range/concepts.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/chunk.hpp>
#include <range/v3/view/drop.hpp>
#include <range/v3/view/enumerate.hpp>
#include <range/v3/view/filter.hpp>
#include <range/v3/view/reverse.hpp>
#include <range/v3/view/stride.hpp>
#include <range/v3/view/transform.hpp>
#include <utility>
#include <vector>

using namespace palloc;
using indices = std::vector<std::size_t>;

namespace {

constexpr std::size_t page = 4096;

static_assert(ranges::view_<page_range> && ranges::random_access_range<page_range>);
static_assert(ranges::sized_range<page_range> && ranges::common_range<page_range>);

std::byte first_byte(const borrowed_page& of) {
    std::array<std::byte, 1> read{};
    BOOST_TEST(of.read(0, read).has_value());
    return read[0];
}

vvec<std::byte> bytes_of(std::size_t pages) {
    vvec<std::byte> made;
    for (std::size_t i = 0; i != pages; ++i)
        BOOST_TEST_REQUIRE(
            made.extend_with(page, static_cast<std::byte>(i), flags::kernel).has_value());
    BOOST_TEST_REQUIRE(made.shrink_to(0, flags::kernel).has_value());
    return made;
}

} // namespace

BOOST_AUTO_TEST_SUITE(page_views)

BOOST_AUTO_TEST_CASE(pages_go_through_pipelines) {
    auto it = bytes_of(10);
    const auto index = ranges::views::transform(&borrowed_page::index);
    // A range of pages is a view, so it may end before the pipeline does.
    const auto marks = it.pages() | ranges::views::transform(first_byte) | ranges::to<std::vector>;
    for (std::size_t i = 0; i != 10; ++i)
        BOOST_TEST((marks[i] == static_cast<std::byte>(i)));
    BOOST_TEST(((it.pages() | ranges::views::reverse | index | ranges::to<indices>) ==
                indices{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}));
    BOOST_TEST(((it.pages() | ranges::views::drop(1) | ranges::views::stride(4) | index |
                 ranges::to<indices>) == indices{1, 5, 9}));
    auto chosen = it.pages() | ranges::views::filter([](const borrowed_page& each) {
                      return first_byte(each) == std::byte{3} || each.index() == 7;
                  });
    BOOST_TEST(((chosen | index | ranges::to<indices>) == indices{3, 7}));
    std::size_t pairs = 0;
    for (auto&& pair : it.pages() | ranges::views::chunk(4)) // as a reader of 16 KiB would go
        pairs += ranges::size(pair) == (pairs == 2 ? 2u : 4u) ? 1u : 0u;
    BOOST_TEST(pairs == 3u);
    for (auto&& [i, each] : it.pages() | ranges::views::enumerate)
        BOOST_TEST(each.index() == static_cast<std::size_t>(i));
}

BOOST_AUTO_TEST_CASE(pages_are_written_through_them) {
    auto it = bytes_of(6);
    ranges::for_each(it.pages() | ranges::views::stride(2), [](const borrowed_page& each) {
        BOOST_TEST(each.fill_zero(0, page).has_value());
    });
    const auto is_zero = [](const borrowed_page& each) {
        const auto bytes = each.memory();
        return bytes && std::ranges::all_of(*bytes, [](std::byte b) { return b == std::byte{}; });
    };
    BOOST_TEST(ranges::count_if(it.pages(), is_zero) == 3);
    BOOST_TEST((it[page - 1] == std::byte{0} && it[page] == std::byte{1}));
    const auto all = it.pages();
    BOOST_TEST((*ranges::find_if(all, is_zero)).index() == 0u);
}

BOOST_AUTO_TEST_CASE(a_pipeline_follows_its_owner) {
    auto it = bytes_of(3);
    const auto marks = it.pages() | ranges::views::transform(first_byte);
    const auto wall = *vbox<int>::make(flags::kernel, 1);
    BOOST_TEST_REQUIRE(it.reserve(500 * page, flags::kernel).has_value()); // moved
    BOOST_TEST((*(ranges::begin(marks) + 2) == std::byte{2}));
    it.truncate(page);
    BOOST_TEST_REQUIRE(it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST(ranges::size(marks) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
