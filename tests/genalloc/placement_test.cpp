// SPDX-License-Identifier: MIT
// Where the kernel's five algorithms place, over several chunks, in cases worked out by hand.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/first_fit_order_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/genalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <optional>

#include "genalloc/bitmaps.hpp"
#include "genalloc/pool_fixture.hpp"

namespace {

using namespace palloc;
using test::pool_fixture;

BOOST_AUTO_TEST_SUITE(placement_of_genalloc)

BOOST_AUTO_TEST_CASE_TEMPLATE(policies_do_not_compare_chunks, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 64); // an exact hole
    f.lend(0x2000, 512);
    f.gives(0x2000, 64, best_fit{});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(best_fit_takes_the_lowest_of_the_smallest, Bitmap,
                              test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 64 * 12);
    f.gives(0x1000, 64 * 12);
    for (const address hole : {0x1000u, 0x1040u, 0x1080u, 0x1100u, 0x1140u, 0x1200u, 0x1240u})
        f.takes_back(hole, 64);
    f.gives(0x1100, 128, best_fit{});
    f.gives(0x1200, 128, best_fit{});
    f.gives(0x1000, 128, best_fit{});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(order_alignment_counts_from_the_chunk, Bitmap,
                              test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1040, 64 * 16);
    f.gives(0x1040, 64, first_fit_order_align{});
    f.gives(0x1040 + 4 * 64, 3 * 64, first_fit_order_align{});
    f.gives(0x1040 + 64, 64, first_fit_order_align{});
    f.gives(0x1040 + 2 * 64, 2 * 64, first_fit_order_align{});
    f.gives(0x1040 + 7 * 64, 64, first_fit_order_align{}); // only three were taken
    f.refuses(9 * 64, first_fit_order_align{});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(fixed_names_a_place_in_each_chunk, Bitmap, test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 512);
    f.lend(0x2000, 256);
    f.gives(0x2080, 128, fixed(128));
    f.gives(0x1080, 128, fixed(128));
    f.refuses(128, fixed(128));
    f.gives(0x1100, 64, fixed(256)); // beyond the newer chunk
    f.refuses(64, fixed(100));       // no granule begins there
    f.refuses(64, fixed(512));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(kernel_alignment_is_true_down_to_the_granule, Bitmap,
                              test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0x1048, 64 * 32);
    f.gives(0x1048, 64, first_fit_align(64)); // up to a granule: no constraint
    f.gives(0x1088, 64, first_fit_align(128));
    f.gives(0x1108, 64, first_fit_align(256));
    f.refuses(64, first_fit_align(0x100000));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_alignment_above_the_chunk_size_may_be_met, Bitmap,
                              test::genalloc_bitmaps) {
    pool_fixture<Bitmap> f;
    f.lend(0xfffc0, 256);
    f.gives(0x100000, 64, first_fit_align(0x100000));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_algorithm_is_chosen_per_call_or_per_pool, Bitmap,
                              test::genalloc_bitmaps) {
    static constexpr choice_of<fixed, Bitmap> fourth(fixed(192));
    pool_fixture<Bitmap> f;
    f.lend(0x1000, 64 * 8);
    f.gives(0x1040, 64, fixed(64));
    f.gives(0x1000, 64);
    f.pool.set_algo(fourth);
    f.gives(0x10c0, 64);
    f.refuses(64);
    f.gives(0x1080, 64, best_fit{}); // the exact hole
    f.pool.set_algo();
    f.gives(0x1100, 64);
    f.gives(0x11c0, 64, [](const Bitmap& map, const placement&) { // any callable
        return std::optional(map.size() - 1);
    });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
