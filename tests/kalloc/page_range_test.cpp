// SPDX-License-Identifier: MIT
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/page_range.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <utility>

using namespace palloc;

namespace {

constexpr std::size_t page = 4096;

template <class Owner>
concept gives_pages = requires(Owner&& owner) { std::forward<Owner>(owner).pages(); };

} // namespace

BOOST_AUTO_TEST_SUITE(pages)

BOOST_AUTO_TEST_CASE(a_vector_has_the_pages_of_its_capacity) {
    vvec<std::uint32_t> it;
    BOOST_TEST(it.pages().empty());
    BOOST_TEST(it.reserve(page / 4, flags::kernel).has_value());
    BOOST_TEST(it.pages().page_count() == 1u); // the kernel's: empty, and after reserve one
    BOOST_TEST(it.reserve(5 * page / 8, flags::kernel).has_value());
    BOOST_TEST(it.size() == 0u);
    const auto all = it.pages();
    BOOST_TEST((all.block_bytes() == it.capacity() * 4 && all.page_count() == 3u));
    BOOST_TEST(std::ranges::distance(all) == 3);
    const std::array<std::byte, 2> mark{std::byte{1}, std::byte{2}};
    std::size_t expected = 0;
    for (const borrowed_page each : all) {
        BOOST_TEST((each.index() == expected++ && each.bytes() == page));
        BOOST_TEST(each.fill_zero(0, page).has_value());
        BOOST_TEST(each.write(each.index(), mark).has_value());
    }
    const auto* const raw = reinterpret_cast<const std::byte*>(it.data());
    BOOST_TEST((raw[0] == mark[0] && raw[1] == mark[1] && raw[2] == std::byte{0}));
    BOOST_TEST((raw[page + 1] == mark[0] && raw[2 * page + 3] == mark[1]));
    std::array<std::byte, 3> read{};
    BOOST_TEST(all[2].read(2, read).has_value());
    BOOST_TEST((read[0] == mark[0] && read[1] == mark[1] && read[2] == std::byte{0}));
    BOOST_TEST((all[1].memory()->data() == raw + page));
}

BOOST_AUTO_TEST_CASE(bounds_are_errors) {
    auto it = *vbox<std::array<std::byte, 5000>>::make(flags::kernel | flags::zero);
    const auto all = it.pages();
    BOOST_TEST((all.page_count() == 2u && all.size() == 2u && all.block_bytes() == 5000u));
    std::array<std::byte, 8> bytes{};
    BOOST_TEST(all[0].read(page - 8, bytes).has_value());
    BOOST_TEST((all[0].read(page - 7, bytes).error().code == errc::bad_argument));
    BOOST_TEST((all[0].write(page - 7, bytes).error().code == errc::bad_argument));
    BOOST_TEST((all[0].write(~std::size_t{0}, bytes).error().code == errc::bad_argument));
    BOOST_TEST(all[0].fill_zero(page, 0).has_value());
    BOOST_TEST((all[0].fill_zero(page + 1, 0).error().code == errc::bad_argument));
    BOOST_TEST((all[0].fill_zero(1, ~std::size_t{0}).error().code == errc::bad_argument));
    BOOST_TEST(all[1].fill_zero(0, page).has_value());
    BOOST_TEST((all[2].fill_zero(0, 1).error().code == errc::past_the_end));
}

BOOST_AUTO_TEST_CASE(a_page_follows_its_owner_or_says_that_it_is_gone) {
    vvec<std::byte> it;
    BOOST_TEST(it.extend_with(3 * page, std::byte{7}, flags::kernel).has_value());
    const auto all = it.pages();
    const borrowed_page last = all[2];
    auto wall = *vbox<int>::make(flags::kernel, 1);
    BOOST_TEST(it.reserve(1000 * page, flags::kernel).has_value()); // moved
    std::array<std::byte, 1> read{};
    BOOST_TEST((last.read(0, read).has_value() && read[0] == std::byte{7}));
    BOOST_TEST(all.page_count() >= 1000u);
    it.truncate(page);
    BOOST_TEST(it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((last.read(0, read).error().code == errc::past_the_end));
    it = vvec<std::byte>();
    BOOST_TEST((all[0].memory().error().code == errc::past_the_end));
}

BOOST_AUTO_TEST_CASE(pages_of_what_has_none_or_ends_at_once_do_not_compile) {
    static_assert(gives_pages<vvec<int>&> && !gives_pages<vvec<int>>);
    static_assert(gives_pages<vbox<int>&> && !gives_pages<vbox<int>>);
    static_assert(!gives_pages<kvec<int>&> && !gives_pages<kvvec<int>&> &&
                  !gives_pages<kbox<int>&>);
    BOOST_TEST(gives_pages<vvec<int>&>);
}

BOOST_AUTO_TEST_CASE(a_block_without_an_owner_has_pages_too) {
    vmalloc from;
    const auto block = *alloc(from, {2 * page + 1, 1}, flags::kernel);
    const auto all = *vmalloc::heap().pages(block);
    BOOST_TEST(all.page_count() == 3u);
    BOOST_TEST((vmalloc::heap().pages(block.subspan(1)).error().code == errc::bad_alignment));
    const auto reversed = all | std::views::reverse;
    BOOST_TEST((*reversed.begin()).index() == 2u);
    BOOST_TEST((all.end() - all.begin() == 3 && all.begin()[1].index() == 1));
    free(from, block.data(), {2 * page + 1, 1});
}

BOOST_AUTO_TEST_CASE(the_heap_is_asked_whether_it_has_the_block) {
    vmalloc_heap heap;
    auto block = *alloc(heap, {3 * page, 1}, flags::kernel);
    const auto all = *heap.pages(block);
    std::array<std::byte, 1> read{std::byte{1}};
    BOOST_TEST((all[2].read(5, read).has_value() && read[0] == std::byte{0}));
    block = *heap.realloc(block.data(), {page, 1}, {3 * page, 1}, flags::kernel, no_node);
    BOOST_TEST((all[2].read(0, read).error().code == errc::past_the_end));
    BOOST_TEST((all[0].write(0, read).has_value() && all.page_count() == 1u));
    free(heap, block.data(), {page, 1});
    BOOST_TEST((all[0].read(0, read).error().code == errc::past_the_end && all.empty()));
}

BOOST_AUTO_TEST_CASE(an_address_has_a_page) {
    vmalloc_heap heap;
    for (const alloc_flags how : {flags::kernel, flags::kernel_account}) {
        const auto block = *alloc(heap, {2 * page + 1, 1}, flags::kernel | how);
        block[2 * page] = std::byte{7};
        const auto third = heap.to_page(block.data() + 3 * page - 1);
        BOOST_TEST_REQUIRE(third.has_value());
        std::array<std::byte, 1> read{};
        BOOST_TEST((third->index() == 2u && third->read(0, read).has_value()));
        BOOST_TEST((read[0] == std::byte{7} && heap.to_page(block.data() + 5)->index() == 0u));
        free(heap, block.data(), {2 * page + 1, 1});
        BOOST_TEST((third->read(0, read).error().code == errc::past_the_end));
        BOOST_TEST(!heap.to_page(block.data()).has_value());
    }
    std::byte outside{};
    BOOST_TEST((heap.to_page(&outside).error().code == errc::not_ours));
    BOOST_TEST((vmalloc::to_page(&outside).error().code == errc::not_ours));
}

BOOST_AUTO_TEST_CASE(one_page_is_had_of_its_owner) {
    auto it = *vbox<std::array<std::byte, 5000>>::make(flags::kernel);
    BOOST_TEST((it.page(1).index() == 1u && it.page(1).memory().has_value()));
    BOOST_TEST((it.page(2).memory().error().code == errc::past_the_end));
    vvec<int> none;
    BOOST_TEST((none.page(0).memory().error().code == errc::past_the_end));
}

BOOST_AUTO_TEST_SUITE_END()
