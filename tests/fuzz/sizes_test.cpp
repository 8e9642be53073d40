// SPDX-License-Identifier: MIT
// Sizes and alignments at which arithmetic could wrap, over granules and chunks at which it could:
// never a wrong success, never a wrong error. (Undefined behaviour is UBSan's part.)
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <vector>

#include "fuzz/naive_pool.hpp"
#include "models/bitmaps.hpp"
#include "support/check.hpp"
#include "support/misuse_log.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t largest = ~std::uint64_t{0};
constexpr std::uint64_t granules[] = {
    1, 16, 48, 64, 4'096, 1'000'003, std::uint64_t{1} << 40, (std::uint64_t{1} << 57) + 1};

/// Zero, the powers of two and their neighbours, and the last before 2^64.
std::vector<std::uint64_t> sizes(std::uint64_t granule) {
    std::vector<std::uint64_t> all = {0, largest};
    for (int length = 0; length != 64; ++length)
        for (const std::uint64_t near : {std::uint64_t{0}, std::uint64_t{1}, largest})
            all.push_back((std::uint64_t{1} << length) + near);
    for (const std::uint64_t below : {std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{63},
                                      granule - 1, granule, granule + 1, 2 * granule})
        all.push_back(largest - below);
    return all;
}

std::vector<std::uint64_t> alignments() {
    std::vector<std::uint64_t> all = {0, 3, largest};
    for (int length = 0; length != 64; ++length)
        all.push_back(std::uint64_t{1} << length);
    return all;
}

template <class T>
errc code(const result<T>& answer) {
    return answer ? errc{} : answer.error().code;
}

/// A pool of two chunks, one of which ends at 2^64, and the naive one.
template <class Bitmap>
struct twins {
    explicit twins(std::uint64_t granule)
        : pool({.on_misuse = {count_misuse}}, sized_granule(granule)),
          naive(granule, test::fit::first,
                {.blocks = bitmap_knows_blocks<Bitmap>,
                 .only_late = concurrent_bitmap<Bitmap> && !bitmap_knows_blocks<Bitmap>}) {
        const std::uint64_t bytes = granule * (granule > 1'000'000'000 ? 3 : 40);
        for (const range where : {range{granule / 2 * 2, bytes}, range{0 - bytes, bytes}}) {
            test::require(pool.add({.where = where}).has_value());
            test::require(naive.add(where) == errc{});
        }
    }
    ~twins() { pool.reset(); }
    twins(const twins&) = delete;
    twins& operator=(const twins&) = delete;

    palloc::pool<sized_granule, borrowed, Bitmap, first_fit, unprotected> pool;
    test::naive_pool naive;
};

} // namespace

BOOST_AUTO_TEST_SUITE(arithmetic_of_sizes)

BOOST_AUTO_TEST_CASE_TEMPLATE(allocates_only_what_there_is, Bitmap, test::bitmap_models) {
    for (const std::uint64_t granule : granules) {
        twins<Bitmap> it(granule);
        for (const std::uint64_t bytes : sizes(granule))
            for (const std::uint64_t alignment : alignments()) {
                const auto got = it.pool.allocate(bytes, alignment);
                const auto expected = it.naive.allocate(bytes, alignment, anywhere);
                test::check(code(got) == code(expected));
                test::check(it.pool.usable_bytes(bytes) >= bytes);
                if (!got || !expected)
                    continue;
                test::check(*got == *expected);
                test::check(it.pool.deallocate(*got, bytes).has_value());
                test::check(it.naive.deallocate(*got, bytes) == errc{});
            }
        test::check(it.pool.used_bytes() == 0);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(frees_and_resizes_only_what_is_a_block, Bitmap, test::bitmap_models) {
    for (const std::uint64_t granule : granules) {
        twins<Bitmap> it(granule);
        for (const std::uint64_t bytes : sizes(granule)) {
            const address block = it.pool.allocate(1).value();
            test::check(it.naive.allocate(1, 1, anywhere).value() == block);
            const errc resized = code(it.pool.resize(block, 1, bytes));
            test::check(resized == it.naive.resize(block, 1, bytes));
            const std::uint64_t now = resized == errc{} ? bytes : 1;
            for (const address at : {block, block + 1, block + granule, block - granule, largest})
                if (at != block || bytes != now) {
                    const errc freed = code(it.pool.deallocate(at, bytes));
                    test::check(freed == it.naive.deallocate(at, bytes));
                }
            it.pool.reset();
            it.naive.reset();
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(grows_only_by_what_it_may, Bitmap, test::bitmap_models) {
    constexpr std::uint64_t cap = std::uint64_t{1} << 30;
    for (const std::uint64_t granule : {std::uint64_t{48}, std::uint64_t{4'096}})
        for (const std::uint64_t bytes : sizes(granule)) {
            fake_space space;
            pool<sized_granule, fake_demand_paged, Bitmap, first_fit, unprotected> it(
                {.growth = growth_policy::refill(1), .cap_bytes = cap}, sized_granule(granule),
                fake_demand_paged(space));
            const bool possible = it.explain({.bytes = bytes}).possible();
            const auto got = it.allocate(bytes);
            test::check(got.has_value() == (bytes != 0 && bytes <= cap / granule * granule));
            test::check(possible == got.has_value());
            test::check(it.mapped_bytes() >= (got ? bytes : 0) && it.mapped_bytes() <= cap);
            if (got)
                test::check(it.used_bytes() >= bytes && it.deallocate(*got, bytes).has_value());
            else
                test::check(it.chunk_count() == 0 &&
                            it.explain({.bytes = bytes}).why == got.error().code);
        }
}

BOOST_AUTO_TEST_SUITE_END()
