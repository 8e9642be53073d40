// SPDX-License-Identifier: MIT
// Blocks for devices: physical addresses, limits, zeroing.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/genalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "genalloc/bitmaps.hpp"
#include "support/random.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_SUITE(blocks_for_devices)

BOOST_AUTO_TEST_CASE_TEMPLATE(have_both_addresses, Bitmap, test::genalloc_bitmaps) {
    basic_genalloc<Bitmap> pool({.order = 6, .on_misuse = {count_misuse}});
    BOOST_TEST(pool.add_virt(0x1000, 0x80000, 512).has_value());
    BOOST_TEST((pool.dma_alloc(100).value() == dma_block{0x1000, 0x80000}));
    BOOST_TEST((pool.dma_alloc(64, fixed(256)).value() == dma_block{0x1100, 0x80100}));
    BOOST_TEST((pool.dma_alloc(64, best_fit{}).value() == dma_block{0x1080, 0x80080}));
    BOOST_TEST((pool.dma_alloc_align(64, 128).value() == dma_block{0x1180, 0x80180}));
    BOOST_TEST((pool.dma_alloc(0).error().code == errc::zero_size));
    BOOST_TEST(!pool.dma_alloc(512).has_value());
    BOOST_TEST(pool.virt_to_phys(0x11ff).value() == 0x801ffu);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(come_from_chunks_that_have_physical_addresses, Bitmap,
                              test::genalloc_bitmaps) {
    basic_genalloc<Bitmap> pool({.order = 6, .on_misuse = {count_misuse}});
    BOOST_TEST(pool.add_virt(0x1000, 0, 64).has_value());
    BOOST_TEST(pool.add(0x2000, 64).has_value());
    BOOST_TEST((pool.dma_alloc(64).value() == dma_block{0x1000, 0}));
    BOOST_TEST(!pool.dma_alloc(64).has_value());
    BOOST_TEST(pool.alloc(64).value() == 0x2000u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(lie_below_the_mask, Bitmap, test::genalloc_bitmaps) {
    basic_genalloc<Bitmap> pool({.order = 6, .on_misuse = {count_misuse}});
    BOOST_TEST(pool.add_virt(0x1000, 0xfffff00, 512).has_value()); // half of it below 2^28
    BOOST_TEST(pool.add_virt(0x2000, 0x20000000, 512).has_value());
    constexpr dma_limits reach{.mask = 0xfffffff};
    BOOST_TEST(pool.dma_alloc(192, reach).value().where == 0x1000u);
    BOOST_TEST(!pool.dma_alloc(65, reach).has_value());
    BOOST_TEST(pool.dma_alloc(64, best_fit{}, reach).value().where == 0x10c0u);
    BOOST_TEST(!pool.dma_alloc(64, reach).has_value());
    BOOST_TEST(!pool.dma_alloc(64, fixed(256), reach).has_value());
    BOOST_TEST(pool.dma_alloc(64).value().where == 0x2000u);
    BOOST_TEST(!pool.dma_alloc(64, dma_limits{.mask = 0xfffff3e}).has_value()); // a byte short
}

BOOST_AUTO_TEST_CASE_TEMPLATE(do_not_cross_the_boundary, Bitmap, test::genalloc_bitmaps) {
    basic_genalloc<Bitmap> pool({.order = 6, .on_misuse = {count_misuse}});
    BOOST_TEST(pool.add_virt(0x1000, 0x80340, 0x1000).has_value()); // 192 bytes to the first
    constexpr dma_limits pages{.boundary = 0x400};
    BOOST_TEST(pool.dma_alloc(256, pages).value().physical == 0x80400u);
    BOOST_TEST(pool.dma_alloc(192, pages).value().physical == 0x80340u);
    BOOST_TEST(pool.dma_alloc(0x400, pages).value().physical == 0x80800u);
    BOOST_TEST(pool.dma_alloc(0x300, best_fit{}, pages).value().physical == 0x80500u);
    BOOST_TEST(!pool.dma_alloc(0x401, pages).has_value());
    BOOST_TEST(!pool.dma_alloc(64, dma_limits{.boundary = 32}).has_value());
    BOOST_TEST((pool.dma_alloc(64, dma_limits{.boundary = 96}).error().code == errc::bad_argument));
    // 0x80d00 would be the lowest aligned place, and cross.
    BOOST_TEST(pool.dma_alloc(0x100, pages).value().physical == 0x80c00u);
    BOOST_TEST(pool.dma_alloc_align(0x340, 0x40, pages).value().physical == 0x81000u);
}

/// The granules of one chunk, and the limits applied to them one place after the other.
struct shadow {
    std::vector<bool> busy;
    std::uint64_t granule;
    address physical;

    [[nodiscard]] bool allows(std::size_t first, std::size_t count,
                              const dma_limits& limits) const {
        for (std::size_t i = 0; i != count; ++i)
            if (first + i >= busy.size() || busy[first + i])
                return false;
        const address begin = physical + first * granule;
        const address last = begin + count * granule - 1;
        return last <= limits.mask && begin / limits.boundary == last / limits.boundary;
    }
    [[nodiscard]] std::size_t lowest(std::size_t count, const dma_limits& limits) const {
        std::size_t first = 0;
        while (first != busy.size() && !allows(first, count, limits))
            ++first;
        return first;
    }
};

BOOST_AUTO_TEST_CASE_TEMPLATE(obey_limits_of_any_kind, Bitmap, test::genalloc_bitmaps) {
    for (std::uint64_t stream = 0; stream != 60; ++stream) {
        test::random_source random(stream);
        const auto order = static_cast<unsigned>(random.below(8));
        basic_genalloc<Bitmap> pool({.order = order, .on_misuse = {count_misuse}});
        shadow expected{std::vector<bool>(500), 1ULL << order,
                        random.below(1 << 20) << random.below(30)};
        const std::uint64_t bytes = expected.busy.size() << order;
        const address base = 0x10000000000 + random.below(4096);
        BOOST_TEST(pool.add_virt(base, expected.physical, bytes).has_value());
        for (int i = 0; i != 100; ++i) {
            const dma_limits limits{.mask = expected.physical + random.below(bytes + bytes / 4),
                                    .boundary = 1ULL << random.below(20)};
            const std::uint64_t wanted = 1 + random.below(20ULL << order);
            const auto count = static_cast<std::size_t>((wanted - 1) >> order) + 1;
            const std::size_t lowest = expected.lowest(count, limits);
            const bool first = random.chance(50);
            const auto got =
                first ? pool.dma_alloc(wanted, limits) : pool.dma_alloc(wanted, best_fit{}, limits);
            BOOST_TEST_CONTEXT(random << ", count " << count << ", lowest " << lowest) {
                BOOST_TEST_REQUIRE(got.has_value() == (lowest != expected.busy.size()));
                if (!got)
                    continue;
                const auto place = static_cast<std::size_t>((got->where - base) >> order);
                BOOST_TEST_REQUIRE(expected.allows(place, count, limits));
                BOOST_TEST_REQUIRE((!first || place == lowest));
                BOOST_TEST_REQUIRE(got->physical == expected.physical + (place << order));
                std::fill_n(expected.busy.begin() + static_cast<std::ptrdiff_t>(place), count,
                            true);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(are_zeroed_to_the_byte) {
    alignas(64) std::array<unsigned char, 1024> memory;
    memory.fill(0xaa);
    touchable_genalloc pool({.order = 6});
    const auto base = address_of(memory.data());
    BOOST_TEST(pool.add_virt(base, 0x4000, memory.size()).has_value());
    const auto zeroes = [&](dma_block block, std::uint64_t bytes) {
        const auto from = memory.begin() + static_cast<std::ptrdiff_t>(block.where - base);
        const auto to = from + static_cast<std::ptrdiff_t>(bytes);
        return std::all_of(from, to, [](unsigned char c) { return c == 0; }) && *to == 0xaa;
    };
    const auto plain = pool.dma_zalloc(100).value();
    const auto chosen = pool.dma_zalloc(65, best_fit{}, {.boundary = 128}).value();
    const auto aligned = pool.dma_zalloc_align(1, 64).value();
    BOOST_TEST(zeroes(plain, 100));
    BOOST_TEST(zeroes(chosen, 65));
    BOOST_TEST(zeroes(aligned, 1));
    BOOST_TEST(std::count(memory.begin(), memory.end(), 0) == 166);
    BOOST_TEST(pool.free(plain.where, 100).has_value());
    BOOST_TEST(pool.free(chosen.where, 65).has_value());
    BOOST_TEST(pool.free(aligned.where, 1).has_value());
}

template <class Pool>
concept can_zero = requires(Pool& pool) { pool.dma_zalloc(1); };
static_assert(can_zero<touchable_genalloc> && !can_zero<genalloc>);

BOOST_AUTO_TEST_SUITE_END()

} // namespace
