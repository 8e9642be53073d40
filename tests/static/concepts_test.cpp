// SPDX-License-Identifier: MIT
// Every line of the concepts of policies is needed: an archetype with one thing broken is no model
// any more, and beside it one with the thing repaired is. In the order of concepts/*.hpp.
#include <palloc/concepts/archetypes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "one_thing_broken.hpp"

namespace palloc::inline v0::negatives {

namespace a = archetypes;
using place = std::optional<std::size_t>;

struct not_movable {
    not_movable() = default;
    not_movable(const not_movable&) = delete;
    not_movable& operator=(const not_movable&) = delete;
};

// ---------------------------------------------------------------- granularity

struct granularity_that_cannot_be_copied : test::from<a::granularity>, a::move_only {};
static_assert(!granularity<granularity_that_cannot_be_copied>);
PALLOC_ASKS_FOR_CONST(granularity, a::granularity, std::uint64_t, bytes())
PALLOC_ASKS_FOR_CONST(granularity, a::granularity, std::size_t, count(std::uint64_t))
PALLOC_ASKS_FOR_CONST(granularity, a::granularity, std::size_t, index(std::uint64_t))
PALLOC_ASKS_FOR_CONST(granularity, a::granularity, std::uint64_t, offset(std::size_t))

// ---------------------------------------------------------------- chunk_bitmap

struct bitmap_that_cannot_be_moved : test::from<a::chunk_bitmap>, not_movable {
    bitmap_that_cannot_be_moved(std::byte* storage, std::size_t granules) noexcept;
};
struct bitmap_that_can : test::from<a::chunk_bitmap> {
    bitmap_that_can(std::byte* storage, std::size_t granules) noexcept;
};
struct bitmap_whose_view_may_throw : test::from<a::chunk_bitmap> {
    bitmap_whose_view_may_throw(std::byte* storage, std::size_t granules);
};
struct bitmap_of_other_storage : test::from<a::chunk_bitmap> {
    bitmap_of_other_storage(std::size_t granules, std::byte* storage) noexcept;
};
static_assert(chunk_bitmap<bitmap_that_can> && !chunk_bitmap<bitmap_that_cannot_be_moved>);
static_assert(!chunk_bitmap<bitmap_whose_view_may_throw> && !chunk_bitmap<bitmap_of_other_storage>);
PALLOC_ASKS_FOR(chunk_bitmap, a::chunk_bitmap, static std::size_t, storage_bytes(std::size_t))
PALLOC_BREAKS(chunk_bitmap, a::chunk_bitmap, static std::size_t storage_bytes(std::size_t) noexcept,
              std::size_t storage_bytes(std::size_t) noexcept)
PALLOC_ASKS_FOR_CONST(chunk_bitmap, a::chunk_bitmap, std::size_t, size())
PALLOC_ASKS_FOR_CONST(chunk_bitmap, a::chunk_bitmap, std::size_t, free_count())
PALLOC_ASKS_FOR_CONST(chunk_bitmap, a::chunk_bitmap, bool, test(std::size_t))
PALLOC_ASKS_FOR_CONST(chunk_bitmap, a::chunk_bitmap, place, find_fit(const placement&))
PALLOC_ASKS_FOR_CONST(chunk_bitmap, a::chunk_bitmap, granule_run, next_free_run(std::size_t))
PALLOC_ASKS_FOR(chunk_bitmap, a::chunk_bitmap, bool, claim(granule_run))
PALLOC_ASKS_FOR(chunk_bitmap, a::chunk_bitmap, std::size_t, release(granule_run))
PALLOC_ASKS_FOR(chunk_bitmap, a::chunk_bitmap, void, reset())

PALLOC_BREAKS(concurrent_bitmap, a::concurrent_bitmap, static constexpr bool is_concurrent = true,
              static constexpr bool is_concurrent = false)
PALLOC_ASKS_FOR_CONST(concurrent_bitmap, a::concurrent_bitmap, std::optional<std::uint64_t>,
                      settled())
PALLOC_ASKS_FOR(concurrent_bitmap, a::concurrent_bitmap, bool, claim(granule_run))

PALLOC_ASKS_FOR_CONST(bitmap_knows_blocks, a::bitmap_that_knows_blocks, std::optional<granule_run>,
                      block_at(std::size_t))
PALLOC_ASKS_FOR(bitmap_knows_blocks, a::bitmap_that_knows_blocks, std::size_t,
                release_block(std::size_t))
PALLOC_ASKS_FOR(bitmap_knows_blocks, a::bitmap_that_knows_blocks, bool, abandon_block(std::size_t))
PALLOC_ASKS_FOR(bitmap_knows_blocks, a::bitmap_that_knows_blocks, bool,
                resize(granule_run, std::size_t))
PALLOC_ASKS_FOR(bitmap_knows_blocks, a::bitmap_that_knows_blocks, bool, claim(granule_run))

PALLOC_ASKS_FOR_CONST(bitmap_finds_best, a::bitmap_that_finds_best, place,
                      find_best(const placement&))
PALLOC_ASKS_FOR(bitmap_finds_best, a::bitmap_that_finds_best, bool, claim(granule_run))
PALLOC_ASKS_FOR_CONST(bitmap_knows_longest, a::bitmap_that_knows_longest, granule_run,
                      longest_free_run())
PALLOC_ASKS_FOR(bitmap_knows_longest, a::bitmap_that_knows_longest, bool, claim(granule_run))
PALLOC_ASKS_FOR(bitmap_claims_lowest, a::bitmap_that_claims_lowest, place,
                claim_lowest(const placement&))
PALLOC_ASKS_FOR(bitmap_claims_lowest, a::bitmap_that_claims_lowest, bool, claim(granule_run))

// ---------------------------------------------------------------- algorithm

template <class A>
concept algorithm = algorithm_for<A, a::chunk_bitmap>;
template <class A>
concept concurrent_algorithm = concurrent_algorithm_for<A, a::chunk_bitmap>;
template <class M>
concept bitmap_of_an_algorithm = algorithm_for<a::algorithm, M>;

struct fixed_algorithm : test::from<a::algorithm>, not_movable {};
static_assert(!algorithm<fixed_algorithm>);
PALLOC_BREAKS(algorithm, a::algorithm,
              a::answer operator()(const a::chunk_bitmap&, const placement&),
              test::something_else operator()(const a::chunk_bitmap&, const placement&))
PALLOC_BREAKS(algorithm, a::algorithm,
              a::answer operator()(const a::chunk_bitmap&, const placement&),
              a::answer operator()(a::chunk_bitmap&, const placement&))
PALLOC_BREAKS(algorithm, a::algorithm,
              a::answer operator()(const a::chunk_bitmap&, const placement&),
              a::answer operator()(const a::chunk_bitmap&, placement&))
PALLOC_ASKS_FOR(bitmap_of_an_algorithm, a::chunk_bitmap, bool, claim(granule_run))
PALLOC_BREAKS(concurrent_algorithm, a::concurrent_algorithm,
              a::answer operator()(const a::chunk_bitmap&, const placement&) const,
              a::answer operator()(const a::chunk_bitmap&, const placement&))
PALLOC_BREAKS(algorithm_takes_lowest, a::concurrent_algorithm,
              static constexpr bool takes_lowest = true, static constexpr bool takes_lowest = false)
static_assert(!algorithm_takes_lowest<a::algorithm>);

// ---------------------------------------------------------------- observer

struct observer_that_stays : test::from<a::observer>, not_movable {};
static_assert(!pool_observer<observer_that_stays>);
PALLOC_ASKS_FOR(pool_observer, a::observer, void, on(const event&))
PALLOC_ASKS_FOR(concurrent_observer, a::concurrent_observer, void, on(const event&))
PALLOC_BREAKS(concurrent_observer, a::concurrent_observer,
              static constexpr bool is_concurrent = true,
              static constexpr bool is_concurrent = false)

// ---------------------------------------------------------------- metadata

PALLOC_ASKS_FOR(metadata_provider, a::metadata_provider, result<std::byte*>, take(std::size_t))
PALLOC_ASKS_FOR(metadata_provider, a::metadata_provider, void, give_back(std::byte*, std::size_t))

} // namespace palloc::inline v0::negatives
