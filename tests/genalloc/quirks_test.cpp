// SPDX-License-Identifier: MIT
// The table of docs/genalloc.md on the kernel's quirks, row by row: kept, and repaired.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/genalloc.hpp>
#include <palloc/genalloc/options.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>

#include "genalloc/bitmaps.hpp"

namespace {

using namespace palloc;

constexpr address none = ~address{0};

template <class Bitmap>
struct fixture {
    basic_genalloc<Bitmap> kernel{
        {.order = 6, .behaviour = quirks::kernel, .on_misuse = {count_misuse}}};
    basic_genalloc<Bitmap> repaired{{.order = 6, .on_misuse = {count_misuse}}};

    void lend(address base, std::uint64_t bytes, address physical = none) {
        BOOST_TEST(kernel.add_virt(base, physical, bytes).has_value());
        BOOST_TEST(repaired.add_virt(base, physical, bytes).has_value());
    }
};

std::string_view why(const auto& failed) {
    return failed ? "none" : to_string(failed.error().code);
}

BOOST_AUTO_TEST_SUITE(quirks_of_the_kernel)

BOOST_AUTO_TEST_CASE_TEMPLATE(a_range_that_wraps, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1000, 256);
    BOOST_TEST(f.kernel.has_addr(0x1010, ~0ULL));
    BOOST_TEST(!f.repaired.has_addr(0x1010, ~0ULL));
    BOOST_TEST(!f.kernel.has_addr(0x2000, ~0ULL));
    BOOST_TEST((f.kernel.has_addr(0x1010, 0) && f.repaired.has_addr(0x1010, 0)));
    BOOST_TEST((!f.kernel.has_addr(0x1100, 0) && !f.repaired.has_addr(0x1100, 0)));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_at_address_0, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0, 256);
    BOOST_TEST(!f.kernel.has_addr(0, 0));
    BOOST_TEST(f.repaired.has_addr(0, 0));
    BOOST_TEST(!f.kernel.free(0, 0).has_value());
    BOOST_TEST(f.repaired.free(0, 0).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(physical_addresses_that_are_none, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1000, 256);
    BOOST_TEST(f.kernel.virt_to_phys(0x1000).value() == none);
    BOOST_TEST(f.kernel.virt_to_phys(0x1010).value() == 0xfu);
    BOOST_TEST(f.kernel.dma_alloc(64).value().physical == none);
    BOOST_TEST(f.kernel.dma_alloc(64).value().physical == 0x3fu);
    BOOST_TEST(why(f.repaired.virt_to_phys(0x1000)) == "not_supported");
    BOOST_TEST(why(f.repaired.virt_to_phys(0x1010)) == "not_supported");
    BOOST_TEST(why(f.repaired.virt_to_phys(0x1100)) == "not_ours");
    BOOST_TEST(!f.repaired.dma_alloc(64).has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(alignments_that_are_none, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1000, 64 * 8, 0);
    for (const address expected : {0x1000u, 0x1040u, 0x1100u, 0x1140u}) // aligned to nothing
        BOOST_TEST(f.kernel.alloc(64, first_fit_align(192)).value() == expected);
    BOOST_TEST(!f.kernel.alloc(64, first_fit_align(0)).has_value());
    BOOST_TEST(f.kernel.dma_alloc_align(64, 192).has_value() == false);
    for (const int alignment : {0, 192, -1, 3}) {
        BOOST_TEST(why(f.repaired.alloc(64, first_fit_align(alignment))) == "bad_alignment");
        BOOST_TEST(why(f.repaired.dma_alloc_align(64, static_cast<std::uint64_t>(alignment))) ==
                   "bad_alignment");
    }
    BOOST_TEST(f.repaired.avail() == f.repaired.size());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(alignment_0_where_the_kernel_hangs, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x20, 256);
    BOOST_TEST(f.kernel.alloc(64, first_fit_align(0)).value() == 0x20u);
    BOOST_TEST(!f.kernel.alloc(64, first_fit_align(0)).has_value()); // for ever, there
}

BOOST_AUTO_TEST_CASE_TEMPLATE(alignment_below_the_granule, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1008, 512, 0);
    BOOST_TEST(f.kernel.dma_alloc_align(64, 128).value().where == 0x1008u);
    BOOST_TEST(f.repaired.alloc(64, first_fit_align(128)).value() == 0x1008u); // as it is called
    BOOST_TEST(!f.repaired.dma_alloc_align(64, 128).has_value()); // no such address in this chunk
    BOOST_TEST(!f.repaired.dma_alloc_align(64, 16).has_value());
    BOOST_TEST(f.repaired.dma_alloc_align(64, 8).value().where == 0x1048u);
    f.lend(0x2040, 512, 0);
    BOOST_TEST(f.kernel.dma_alloc_align(64, 128).value().where == 0x2080u);
    BOOST_TEST(f.repaired.dma_alloc_align(64, 128).value().where == 0x2080u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(alignments_beyond_an_int, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1ffffffc0, 256, 0);
    BOOST_TEST(!f.kernel.dma_alloc_align(64, 1ULL << 32).has_value()); // 0, as an int
    BOOST_TEST(f.repaired.dma_alloc_align(64, 1ULL << 32).value().where == 0x200000000u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(chunks_that_overlap, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1000, 256, 0x10000);
    BOOST_TEST(why(f.repaired.add_virt(0x1080, 0x20000, 256)) == "overlap");
    BOOST_TEST(f.kernel.add_virt(0x1080, 0x20000, 256).has_value());
    BOOST_TEST(f.kernel.size() == 512u);
    BOOST_TEST(f.kernel.alloc(256).value() == 0x1080u);
    BOOST_TEST(f.kernel.alloc(256).value() == 0x1000u); // the same bytes, handed out twice
    BOOST_TEST(f.kernel.virt_to_phys(0x1080).value() == 0x20000u);
    BOOST_TEST(f.kernel.virt_to_phys(0x107f).value() == 0x1007fu);
    BOOST_TEST(f.kernel.free(0x1080, 64).has_value()); // the newer one's granule
    BOOST_TEST(f.kernel.alloc(64).value() == 0x1080u);
    BOOST_TEST(f.kernel.free(0x1000, 64).has_value());
    BOOST_TEST(f.kernel.alloc(64).value() == 0x1000u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(empty_chunks, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1000, 256, 0x10000);
    BOOST_TEST(why(f.repaired.add(0x1080, 0)) == "zero_size");
    BOOST_TEST(f.kernel.add(0x1080, 0).has_value());
    BOOST_TEST(f.kernel.virt_to_phys(0x1090).value() == 0x10090u); // does not hide what it is in
    BOOST_TEST(f.kernel.alloc(256).value() == 0x1000u);
    BOOST_TEST(f.kernel.free(0x1080, 64).has_value());
    BOOST_TEST(f.kernel.add_virt(0, 0x500, 0).has_value());
    BOOST_TEST(f.kernel.as_pool().chunk_count() == 3u);
    BOOST_TEST(f.kernel.has_addr(0x123456, 77)); // the one at address 0 contains everything
    BOOST_TEST(f.kernel.virt_to_phys(0x1000).value() == 0x1500u);
    BOOST_TEST(f.kernel.alloc(64).value() == 0x1080u);
    BOOST_TEST(f.kernel.size() == 256u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(misaligned_frees, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1000, 256);
    BOOST_TEST(f.kernel.alloc(256).value() == 0x1000u);
    BOOST_TEST(f.repaired.alloc(256).value() == 0x1000u);
    BOOST_TEST(f.kernel.free(0x107f, 64).has_value()); // rounded down
    BOOST_TEST(f.kernel.alloc(64).value() == 0x1040u);
    BOOST_TEST(!f.kernel.free(0x10ff, 64).has_value()); // the size is not
    BOOST_TEST(why(f.repaired.free(0x107f, 64)) == "not_a_block");
    BOOST_TEST(f.repaired.avail() == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(frees_whose_size_wraps, Bitmap, test::genalloc_bitmaps) {
    fixture<Bitmap> f;
    f.lend(0x1000, 256);
    BOOST_TEST(f.kernel.alloc(256).value() == 0x1000u);
    BOOST_TEST(f.repaired.alloc(256).value() == 0x1000u);
    BOOST_TEST(f.kernel.free(0x1040, ~0ULL).has_value()); // silently nothing
    BOOST_TEST(f.kernel.avail() == 0u);
    BOOST_TEST(why(f.repaired.free(0x1040, ~0ULL)) == "past_the_end");
    BOOST_TEST(!f.kernel.free(0x1040, ~0ULL - 64).has_value()); // a granule less, and it counts
}

BOOST_AUTO_TEST_CASE(sizes_for_which_the_kernel_counts_no_granule) {
    constexpr std::uint64_t granule = 1ULL << 63;
    for (const quirks behaviour : {quirks::kernel, quirks::repaired}) {
        basic_genalloc<flat> pool(
            {.order = 63, .behaviour = behaviour, .on_misuse = {count_misuse}});
        BOOST_TEST(pool.add(1, ~0ULL).has_value());
        const auto got = pool.alloc(granule + 1);
        BOOST_TEST(pool.avail() == ~0ULL); // nothing is taken in either
        BOOST_TEST(got.has_value() == (behaviour == quirks::kernel));
        if (got) {
            BOOST_TEST(*got == 1u);
            BOOST_TEST(pool.alloc(granule + 1, best_fit{}).value() == 1u);
            BOOST_TEST(!pool.alloc(granule + 1, fixed(granule)).has_value());
            BOOST_TEST(pool.free(*got, granule + 1).has_value());
        }
        BOOST_TEST(pool.alloc(granule).value() == 1u);
        BOOST_TEST(!pool.alloc(granule + 1).has_value()); // now there are fewer bytes available
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
