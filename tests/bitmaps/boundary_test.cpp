// SPDX-License-Identifier: MIT
// What is special to `boundary`: blocks are told apart, whatever lies beside them.
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <tuple>
#include <vector>

using namespace palloc;

namespace {

using inner_bitmaps = std::tuple<flat, indexed, atomic>;

template <class Inner>
struct owned {
    explicit owned(std::size_t granules)
        : bytes(new(std::align_val_t{storage_alignment})
                    std::byte[boundary<Inner>::storage_bytes(granules)]{}),
          map(bytes, granules) {}
    owned(const owned&) = delete;
    ~owned() { ::operator delete[](bytes, std::align_val_t{storage_alignment}); }
    std::byte* bytes;
    boundary<Inner> map;
};

} // namespace

BOOST_AUTO_TEST_SUITE(boundary_itself)

BOOST_AUTO_TEST_CASE_TEMPLATE(neighbours_are_told_apart, Inner, inner_bitmaps) {
    owned<Inner> it(300);
    const std::vector<granule_run> blocks{{0, 1}, {1, 63}, {64, 64}, {128, 2}, {130, 170}};
    for (const granule_run block : blocks)
        BOOST_TEST(it.map.claim(block));
    for (const granule_run block : blocks)
        for (std::size_t i = block.first; i != block.last(); ++i)
            BOOST_REQUIRE((it.map.block_at(i) == block));
    BOOST_TEST(!it.map.block_at(300).has_value());
    BOOST_TEST(it.map.release_block(65) == 0u); // interior
    BOOST_TEST(it.map.release_block(64) == 64u);
    BOOST_TEST(it.map.release_block(64) == 0u); // free by now
    BOOST_TEST(!it.map.block_at(100).has_value());
    BOOST_TEST((it.map.block_at(63) == blocks[1]));
    BOOST_TEST((it.map.block_at(128) == blocks[3]));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_abandoned_block_is_used_by_nobody, Inner, inner_bitmaps) {
    owned<Inner> it(300);
    const std::vector<granule_run> blocks{{0, 1}, {1, 63}, {64, 64}, {128, 2}};
    for (const granule_run block : blocks)
        BOOST_TEST(it.map.claim(block));
    BOOST_TEST(!it.map.abandon_block(65));  // interior
    BOOST_TEST(!it.map.abandon_block(200)); // free
    BOOST_TEST(it.map.abandon_block(64));
    BOOST_TEST(!it.map.abandon_block(64)); // no more
    BOOST_TEST(it.map.free_count() == 170u);
    for (std::size_t i = 64; i != 128; ++i)
        BOOST_REQUIRE((it.map.test(i) && !it.map.block_at(i)));
    BOOST_TEST(it.map.release_block(64) == 0u);
    BOOST_TEST(it.map.release({64, 64}) == 64u);
    BOOST_TEST(!it.map.claim({100, 1}));
    for (const granule_run block : {blocks[0], blocks[1], blocks[3]})
        BOOST_TEST((it.map.block_at(block.first) == block));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(only_whole_blocks_are_released, Inner, inner_bitmaps) {
    owned<Inner> it(128);
    BOOST_TEST(it.map.claim({10, 20}));
    BOOST_TEST(it.map.release({10, 19}) == 19u);
    BOOST_TEST(it.map.release({11, 19}) == 19u);
    BOOST_TEST(it.map.is_block({10, 20}));
    for (const granule_run other : {granule_run{10, 19}, {10, 21}, {9, 21}, {11, 19}, {40, 1}}) {
        BOOST_TEST(!it.map.is_block(other));
        BOOST_TEST(!it.map.release_exactly(other));
    }
    BOOST_TEST(it.map.free_count() == 108u);
    BOOST_TEST(it.map.release_exactly({10, 20}));
    BOOST_TEST(!it.map.is_block({10, 20}));
    BOOST_TEST(!it.map.release_exactly({10, 20}));
    BOOST_TEST(it.map.free_count() == 128u);
    BOOST_TEST(it.map.claim({10, 20}));
    BOOST_TEST(it.map.release({10, 20}) == 0u);
    BOOST_TEST(it.map.free_count() == 128u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_end_of_a_block_moves, Inner, inner_bitmaps) {
    owned<Inner> it(256);
    BOOST_TEST(it.map.claim({0, 60}));
    BOOST_TEST(it.map.claim({200, 10}));
    BOOST_TEST(it.map.resize({0, 60}, 60));
    BOOST_TEST((it.map.block_at(0) == granule_run{0, 60}));
    BOOST_TEST(it.map.resize({0, 60}, 200));
    BOOST_TEST((it.map.block_at(199) == granule_run{0, 200}));
    BOOST_TEST(!it.map.resize({0, 200}, 201)); // the neighbour
    BOOST_TEST((it.map.block_at(0) == granule_run{0, 200}));
    BOOST_TEST(it.map.resize({0, 200}, 1));
    BOOST_TEST((it.map.block_at(0) == granule_run{0, 1}));
    BOOST_TEST(it.map.free_count() == 256u - 11);
    it.map.reset();
    BOOST_TEST(!it.map.block_at(0).has_value());
    BOOST_TEST(it.map.claim({0, 256}));
}

BOOST_AUTO_TEST_SUITE_END()
