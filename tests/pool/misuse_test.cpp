// SPDX-License-Identifier: MIT
// The table of docs/misuse.md, cell by cell.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <tuple>

#include "models/bitmaps.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t granule = 64;
constexpr std::uint64_t chunk_bytes = 4096;

template <class Bitmap, class Algorithm = first_fit>
struct fixture {
    using pool_type =
        palloc::pool<static_granule<granule>, fake_demand_paged, Bitmap, Algorithm, unprotected>;

    fake_space space;
    test::misuse_log log;
    pool_type victim{{.name = "victim", .on_misuse = log.policy()}, {}, fake_demand_paged(space)};
    address base = victim.grow(chunk_bytes).value().base;

    ~fixture() { victim.reset(); }

    /// The call must answer `wanted`, tell the handler so once, and change nothing.
    template <class F>
    void refuses(errc wanted, F&& call, bool unchanged = true) {
        const std::uint64_t used = victim.used_bytes();
        const std::uint64_t count = victim.misuse_count();
        log.seen.clear();
        const auto answer = call();
        BOOST_TEST(!answer.has_value());
        BOOST_TEST(to_string(answer.error().code) == to_string(wanted));
        BOOST_TEST(log.seen.size() == 1u);
        BOOST_TEST((log.seen.at(0).what == wanted));
        BOOST_TEST(log.seen.at(0).pool == "victim");
        BOOST_TEST(victim.misuse_count() == count + 1);
        if (unchanged)
            BOOST_TEST(victim.used_bytes() == used);
    }
    address block(std::uint64_t granules) { return victim.allocate(granules * granule).value(); }
};

template <class Bitmap>
inline constexpr bool tells_before =
    !concurrent_bitmap<Bitmap> || bitmap_knows_blocks<Bitmap>; // else only afterwards

} // namespace

BOOST_AUTO_TEST_SUITE(misuse_table)

BOOST_AUTO_TEST_CASE_TEMPLATE(foreign_address, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    f.refuses(errc::not_ours, [&] { return f.victim.deallocate(f.base - granule, granule); });
    f.refuses(errc::not_ours, [&] { return f.victim.deallocate(f.base + chunk_bytes, granule); });
    f.refuses(errc::not_ours, [&] { return f.victim.deallocate(0, granule); });
    f.refuses(errc::not_ours, [&] { return f.victim.resize(f.base - 1, granule, granule); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(past_the_end, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address last = f.block(chunk_bytes / granule) + chunk_bytes - granule;
    f.refuses(errc::past_the_end, [&] { return f.victim.deallocate(last, granule + 1); });
    f.refuses(errc::past_the_end, [&] { return f.victim.deallocate(last, ~std::uint64_t{0}); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address block = f.block(1);
    f.refuses(errc::zero_size, [&] { return f.victim.deallocate(block, 0); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(misaligned, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address block = f.block(2);
    f.refuses(errc::not_a_block, [&] { return f.victim.deallocate(block + 1, granule); });
    f.refuses(errc::not_a_block, [&] { return f.victim.deallocate(block + granule - 1, granule); });
}

BOOST_AUTO_TEST_CASE_TEMPLATE(alignment_that_the_block_does_not_have, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address first = f.block(1);
    const address block = f.block(2); // the base is a page: a multiple of 64, and of no more
    for (const std::uint64_t alignment : {0UL, 3UL, 48UL, ~0UL, 2 * granule, 1UL << 40, 1UL << 63})
        f.refuses(errc::bad_alignment,
                  [&] { return f.victim.deallocate(block, 2 * granule, alignment); });
    f.refuses(errc::not_a_block, [&] { return f.victim.deallocate(block + 1, granule, 8); });
    f.refuses(errc::zero_size, [&] { return f.victim.deallocate(block, 0, 2 * granule); });
    const std::uint64_t count = f.victim.misuse_count();
    f.victim.deallocate_many(std::span(&block, 1), 2 * granule, 2 * granule);
    BOOST_TEST(f.victim.misuse_count() == count + 1);
    BOOST_TEST(f.victim.used_bytes() == 3 * granule);
    BOOST_TEST(f.victim.deallocate(block, 2 * granule, granule).has_value());
    BOOST_TEST(f.victim.deallocate(first, granule, 1).has_value());
    BOOST_TEST(f.victim.used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(double_free, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address block = f.block(3);
    BOOST_TEST(f.victim.deallocate(block, 3 * granule).has_value());
    f.refuses(errc::double_free, [&] { return f.victim.deallocate(block, 3 * granule); });
    BOOST_TEST(f.victim.used_bytes() == 0u);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(interior, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address block = f.block(3);
    if constexpr (bitmap_knows_blocks<Bitmap>) {
        f.refuses(errc::not_a_block,
                  [&] { return f.victim.deallocate(block + granule, 2 * granule); });
        f.refuses(errc::not_a_block, [&] { return f.victim.deallocate(block + granule); });
    } else { // legal: a part of the block is given back
        BOOST_TEST(f.victim.deallocate(block + granule, 2 * granule).has_value());
        BOOST_TEST(f.victim.used_bytes() == granule);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(smaller_size, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address block = f.block(3);
    if constexpr (bitmap_knows_blocks<Bitmap>) {
        f.refuses(errc::wrong_size, [&] { return f.victim.deallocate(block, 2 * granule); });
    } else {
        BOOST_TEST(f.victim.deallocate(block, 2 * granule).has_value());
        BOOST_TEST(f.victim.used_bytes() == granule);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(larger_size_over_free_granules, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address block = f.block(2);
    constexpr errc answer = bitmap_knows_blocks<Bitmap> ? errc::wrong_size : errc::double_free;
    f.refuses(
        answer, [&] { return f.victim.deallocate(block, 3 * granule); }, tells_before<Bitmap>);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(larger_size_over_a_neighbour, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address block = f.block(2);
    (void)f.block(1);
    if constexpr (bitmap_knows_blocks<Bitmap>) {
        f.refuses(errc::wrong_size, [&] { return f.victim.deallocate(block, 3 * granule); });
    } else {
        BOOST_TEST(f.victim.deallocate(block, 3 * granule).has_value());
        BOOST_TEST(f.victim.used_bytes() == 0u);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(destruction_with_live_blocks, Bitmap, test::bitmap_models) {
    fake_space space;
    test::misuse_log log;
    {
        typename fixture<Bitmap>::pool_type pool({.on_misuse = log.policy()}, {},
                                                 fake_demand_paged(space));
        BOOST_TEST(pool.grow(chunk_bytes).has_value());
        BOOST_TEST(pool.allocate(100).has_value());
    }
    if constexpr (bitmap_is_shared_by_processes<Bitmap>) { // they may be another's
        BOOST_TEST(log.seen.empty());
    } else {
        BOOST_TEST_REQUIRE(log.seen.size() == 1u);
        BOOST_TEST((log.seen.at(0).what == errc::outstanding));
        BOOST_TEST(log.seen.at(0).where.bytes == 128u);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(wrong_answers_of_an_algorithm, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    const address first = f.block(1);
    using pool_type = typename fixture<Bitmap>::pool_type;
    const auto answers = [&](std::size_t position, typename pool_type::request wanted) {
        const auto liar = [position](const auto&, const placement&) {
            return std::optional(position);
        };
        f.refuses(errc::bad_placement, [&] { return f.victim.allocate_with(wanted, liar); });
    };
    answers(chunk_bytes / granule, {.bytes = 1});               // outside
    answers(chunk_bytes / granule - 1, {.bytes = 2 * granule}); // runs out
    answers(~std::size_t{0}, {.bytes = 1});
    answers(1, {.bytes = 1, .alignment = 4 * granule}); // misaligned: the base is a page
    if constexpr (!concurrent_bitmap<Bitmap>) {
        answers(0, {.bytes = 1}); // busy
    } else {                      // it may be a lost race
        const auto liar = [](const auto&, const placement&) { return std::optional(0UL); };
        BOOST_TEST(
            (f.victim.allocate_with({.bytes = 1}, liar).error().code == errc::out_of_memory));
        BOOST_TEST(f.victim.misuse_count() == 4u);
    }
    BOOST_TEST(first == f.base);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bad_requests_are_errors_not_misuse, Bitmap, test::bitmap_models) {
    fixture<Bitmap> f;
    BOOST_TEST((f.victim.allocate(0).error().code == errc::zero_size));
    BOOST_TEST((f.victim.allocate(1, 0).error().code == errc::bad_alignment));
    BOOST_TEST((f.victim.allocate(1, 48).error().code == errc::bad_alignment));
    BOOST_TEST((f.victim.allocate(chunk_bytes + 1).error().code == errc::out_of_memory));
    for (const std::uint64_t bytes : {~std::uint64_t{0}, ~std::uint64_t{0} - granule + 1,
                                      ~std::uint64_t{0} - granule, std::uint64_t{1} << 63})
        BOOST_TEST((f.victim.allocate(bytes).error().code == errc::out_of_memory));
    BOOST_TEST(f.victim.misuse_count() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
