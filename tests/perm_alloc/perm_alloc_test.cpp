// SPDX-License-Identifier: MIT
// What a perm_alloc promises its users, over two views and over flips, and what the RFC got wrong.
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/core/address_space.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/perm_alloc.hpp>
#include <palloc/perm_alloc/allocation.hpp>
#include <palloc/perm_alloc/options.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory_resource>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "backends/seam.hpp"
#include "machine_code.hpp"
#include "page_rules.hpp"
#include "support/address_space.hpp"
#include "support/in_child.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;
using namespace palloc::test;

namespace {

using flipping = basic_perm_alloc<native_memory>;
using kinds = std::tuple<perm_alloc, flipping>;

using function = int();

template <class Allocator>
int call(const perm_allocation<Allocator>& code) {
    return code.template entry<function>()();
}
template <class Allocator>
bool all_are(const perm_allocation<Allocator>& block, std::byte value) {
    const auto* const bytes = reinterpret_cast<const std::byte*>(block.address());
    return std::all_of(bytes, bytes + block.size(), [&](std::byte b) { return b == value; });
}
template <class Allocator>
auto code_of(Allocator& code, int value) {
    const auto block = code.allocate({.bytes = 16});
    BOOST_TEST_REQUIRE(block.has_value());
    BOOST_TEST_REQUIRE(block->write(0, returns(value)).has_value());
    return *block;
}

} // namespace

BOOST_AUTO_TEST_SUITE(perm_alloc_itself)

BOOST_AUTO_TEST_CASE_TEMPLATE(code_is_written_and_called, Allocator, kinds) {
    Allocator code;
    const auto one = code_of(code, 1);
    const auto two = code_of(code, 2);
    BOOST_TEST(call(one) == 1);
    BOOST_TEST(call(two) == 2);
    BOOST_TEST((one.allowed() == permissions::read_execute));
    BOOST_TEST(one.size() == 64u);
    BOOST_TEST(one.contains(one.address() + 63));
    BOOST_TEST(!one.contains(one.address() + 64));
    BOOST_TEST((code.find(two.address() + 7) == two));
    BOOST_TEST(code.free(one).has_value());
    BOOST_TEST(!code.find(one.address()));
    BOOST_TEST(code.free(two).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_partial_edit_keeps_the_rest, Allocator, kinds) {
    Allocator code;
    const auto block = code_of(code, 1);
    auto writer = block.open(value_offset, sizeof(encoded(0)));
    BOOST_TEST_REQUIRE(writer.has_value());
    BOOST_TEST(writer->put(0, encoded(7)).has_value());
    BOOST_TEST((writer->put(1, encoded(7)).error().code == errc::past_the_end));
    BOOST_TEST(call(block) == 1); // nothing is seen before
    BOOST_TEST(writer->commit().has_value());
    BOOST_TEST(call(block) == 7);
    BOOST_TEST((writer->commit().error().code == errc::bad_argument)); // it has ended
    BOOST_TEST(code.free(block).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_abandoned_writer_leaves_all_as_it_was, Allocator, kinds) {
    Allocator code;
    const auto block = code_of(code, 1);
    {
        auto writer = block.open();
        BOOST_TEST_REQUIRE(writer.has_value());
        std::ranges::fill(writer->bytes(), std::byte{0x90});
        BOOST_TEST(block.is_writable());
    }
    BOOST_TEST(!block.is_writable());
    BOOST_TEST(call(block) == 1);
    BOOST_TEST(code.free(block).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(two_writers_onto_one_place_keep_each_others_bytes, Allocator, kinds) {
    Allocator code;
    const auto block = code_of(code, 0x01020304);
    auto low = block.open();
    auto high = block.open();
    BOOST_TEST_REQUIRE((low && high));
    BOOST_TEST(low->put(value_offset, low_half(0x0a0b)).has_value());
    BOOST_TEST(high->put(high_offset, high_half(0x0c0d)).has_value());
    BOOST_TEST(low->commit().has_value());
    BOOST_TEST(high->commit().has_value());
    BOOST_TEST(call(block) == 0x0c0d0a0b);
    BOOST_TEST(code.free(block).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_freed_under_a_writer_is_not_written, Allocator, kinds) {
    Allocator code;
    const auto keep = code_of(code, 5);
    const auto block = code_of(code, 1);
    auto writer = block.open();
    BOOST_TEST_REQUIRE(writer.has_value());
    BOOST_TEST(writer->put(value_offset, encoded(9)).has_value());
    BOOST_TEST(code.free(block).has_value());
    const auto next = code_of(code, 2); // at the same place
    BOOST_TEST(next.address() == block.address());
    BOOST_TEST((writer->commit().error().code == errc::not_a_block));
    BOOST_TEST(call(next) == 2);
    BOOST_TEST(code.free(next).has_value());
    BOOST_TEST(code.free(keep).has_value());
    BOOST_TEST((next.open().error().code == errc::not_ours ||
                next.open().error().code == errc::not_a_block));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(batches_are_all_or_none, Allocator, kinds) {
    Allocator code;
    const auto one = code_of(code, 1);
    const auto two = code_of(code, 2);
    const auto before = code.statistics().synchronisations;
    auto a = one.open(value_offset, sizeof(encoded(0)));
    auto b = two.open(value_offset, sizeof(encoded(0)));
    BOOST_TEST_REQUIRE((a && b));
    BOOST_TEST((a->put(0, encoded(11)).has_value() && b->put(0, encoded(12)).has_value()));
    std::array both{&*a, &*b};
    BOOST_TEST(Allocator::writer::commit(both).has_value());
    BOOST_TEST(code.statistics().synchronisations == before + 1);
    BOOST_TEST((call(one) == 11 && call(two) == 12));

    auto c = one.open(value_offset, sizeof(encoded(0)));
    auto d = two.open(value_offset, sizeof(encoded(0)));
    BOOST_TEST((c->put(0, encoded(21)).has_value() && d->put(0, encoded(22)).has_value()));
    BOOST_TEST(code.free(two).has_value());
    both = {&*c, &*d};
    BOOST_TEST((Allocator::writer::commit(both).error().code == errc::not_a_block));
    BOOST_TEST(call(one) == 11);
    c->abandon();
    BOOST_TEST(code.free(one).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(freed_code_traps_and_the_next_owner_finds_nothing, Allocator, kinds) {
    for (const wiping when : {wiping::at_once, wiping::before_reuse}) {
        Allocator code({.wipes = when});
        const auto keep = code_of(code, 1);
        const auto block = code.allocate({.bytes = 1000});
        BOOST_TEST_REQUIRE(block.has_value());
        BOOST_TEST(block->write(0, std::vector(1000, std::byte{0x90})).has_value());
        BOOST_TEST(code.free(*block).has_value());
        if (when == wiping::at_once)
            BOOST_TEST(all_are(*block, trap_byte));
        const auto next = code.allocate({.bytes = 1000});
        BOOST_TEST(next->address() == block->address());
        BOOST_TEST(all_are(*next, trap_byte));
        BOOST_TEST(code.free(*next).has_value());
        BOOST_TEST(code.free(keep).has_value());

        const auto data = code.allocate({.bytes = 100, .allowed = permissions::read_write});
        BOOST_TEST(all_are(*data, std::byte{0}));
        std::memset(reinterpret_cast<void*>(data->address()), 1,
                    static_cast<std::size_t>(data->size()));
        BOOST_TEST(code.free(*data).has_value());
        const auto fresh = code.allocate({.bytes = 100, .allowed = permissions::read_write});
        BOOST_TEST(fresh->address() == data->address());
        BOOST_TEST(all_are(*fresh, std::byte{0}));
        BOOST_TEST(code.free(*fresh).has_value());
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shrinking_keeps_the_front_and_wipes_the_end, Allocator, kinds) {
    Allocator code;
    auto block = code.allocate({.bytes = 500});
    BOOST_TEST(block->write(0, std::vector(500, std::byte{0x90})).has_value());
    const address tail = block->address() + 128;
    BOOST_TEST(code.shrink(*block, 100).has_value());
    BOOST_TEST(block->size() == 128u);
    BOOST_TEST((*reinterpret_cast<std::byte*>(tail) == trap_byte));
    BOOST_TEST(all_are(*block, std::byte{0x90}));
    BOOST_TEST((code.shrink(*block, 0).error().code == errc::zero_size));
    BOOST_TEST((code.shrink(*block, 129).error().code == errc::past_the_end));
    BOOST_TEST(code.free(*block).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_page_has_two_permissions, Allocator, kinds) {
    Allocator code;
    std::map<address, permissions> pages;
    std::vector<typename Allocator::allocation> blocks;
    for (int i = 0; i != 300; ++i) {
        const permissions allowed =
            std::array{permissions::read, permissions::read_write,
                       permissions::read_execute}[static_cast<unsigned>(i) % 3];
        blocks.push_back(
            *code.allocate({.bytes = 50u + 13u * static_cast<unsigned>(i), .allowed = allowed}));
        const range where = blocks.back().where();
        for (address p = where.base / 4096; p <= (where.base + where.bytes - 1) / 4096; ++p)
            BOOST_TEST((pages.try_emplace(p, allowed).first->second == allowed));
    }
    BOOST_TEST(code.as_pool().chunk_count() == 3u);
    for (const auto& each : blocks)
        BOOST_TEST(code.free(each).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_range_is_honoured_exactly, Allocator, kinds) {
    Allocator code;
    const range near = within_reach_of(reinterpret_cast<std::uintptr_t>(&call<Allocator>));
    std::vector<typename Allocator::allocation> blocks;
    for (int i = 0; i != 100; ++i) {
        const auto got = code.allocate(near, 30'000, permissions::read_execute);
        BOOST_TEST_REQUIRE(got.has_value());
        BOOST_TEST(near.contains(got->where()));
        blocks.push_back(*got);
    }
    const std::uint64_t page = code.as_pool().backing().page_bytes();
    // A gap of a known size between two mappings of our own.
    const range gap = largest_gap(anywhere).value();
    const range narrow{gap.base, 3 * page};
    const auto last = code.allocate(narrow, 2 * page, permissions::read_execute);
    BOOST_TEST_REQUIRE(last.has_value());
    BOOST_TEST(narrow.contains(last->where()));
    const auto none = code.allocate(narrow, 2 * page, permissions::read_execute);
    BOOST_TEST((none.error().code == errc::out_of_memory));
    const auto told = code.explain({.within = narrow, .bytes = 2 * page});
    BOOST_TEST(told.largest_gap_bytes <= page);
    blocks.push_back(*last);
    for (const auto& each : blocks)
        BOOST_TEST(code.free(each).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pages_of_ones_own_change, Allocator, kinds) {
    Allocator code;
    const std::uint64_t page = code.as_pool().backing().page_bytes();
    const auto block =
        code.allocate({.bytes = 3 * page, .allowed = permissions::read_write, .owns_pages = true});
    BOOST_TEST_REQUIRE(block.has_value());
    BOOST_TEST(block->is_writable());
    std::memcpy(block->template entry<void>(), returns(3).data(), 16);
    BOOST_TEST(block->change(permissions::read_execute).has_value());
    BOOST_TEST(call(*block) == 3);
    BOOST_TEST(!block->is_writable());
    BOOST_TEST(block->write(page, returns(4)).has_value());
    BOOST_TEST(block->template entry<function>(page)() == 4);
    // RX -> RW -> RX ends as RX, and what is asked is what holds.
    BOOST_TEST(block->change(0, page, permissions::read_write).has_value());
    BOOST_TEST((block->allowed(0) == permissions::read_write));
    BOOST_TEST((block->allowed(page) == permissions::read_execute));
    BOOST_TEST(block->change(0, page, permissions::read_execute).has_value());
    BOOST_TEST((block->allowed(0) == permissions::read_execute));
    BOOST_TEST(call(*block) == 3);
    BOOST_TEST(block->change(2 * page, page, permissions::none).has_value());
    BOOST_TEST((block->allowed(2 * page) == permissions::none));
    BOOST_TEST((block->change(1, page, permissions::read).error().code == errc::bad_alignment));
    BOOST_TEST((block->change(0, 4 * page, permissions::read).error().code == errc::past_the_end));
    BOOST_TEST(code.free(*block).has_value());
    BOOST_TEST(code.as_pool().chunk_count() == 0u);

    const auto packed = code_of(code, 1);
    BOOST_TEST((packed.change(permissions::read).error().code == errc::not_supported));
    BOOST_TEST(code.free(packed).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_final_mapping_may_wait_for_the_commit, Allocator, kinds) {
    Allocator code;
    const auto block = code.allocate({.bytes = 100, .deferred = true});
    BOOST_TEST_REQUIRE(block.has_value());
    BOOST_TEST((block->allowed() == permissions::none));
    const std::string before = mapping_flags(block->address());
    BOOST_TEST(before.find(" ex ") == before.npos);
    auto writer = block->open();
    BOOST_TEST_REQUIRE(writer.has_value());
    std::ranges::copy(returns(8), writer->bytes().begin());
    BOOST_TEST(writer->commit().has_value());
    BOOST_TEST((block->allowed() == permissions::read_execute));
    BOOST_TEST(call(*block) == 8);
    BOOST_TEST(code.free(*block).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
