// SPDX-License-Identifier: MIT
/// @file
/// @brief The least that a model of each concept may offer, and nothing more.
///
/// A template that compiles with these uses only what its concepts promise. They are hostile on
/// purpose: no default construction, move-only, nothing comparable. Never linked: no member has a
/// body.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/granularity.hpp>
#include <palloc/concepts/metadata.hpp>
#include <palloc/concepts/observer.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/concepts/typed_allocator.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace palloc::inline v0::archetypes {

struct move_only {
    move_only() = delete;
    move_only(move_only&&) noexcept;
    move_only& operator=(move_only&&) = delete;
    move_only(const move_only&) = delete;
    move_only& operator=(const move_only&) = delete;
    ~move_only();
};

struct granularity {
    granularity() = delete;
    [[nodiscard]] std::uint64_t bytes() const noexcept;
    [[nodiscard]] std::size_t count(std::uint64_t bytes) const noexcept;
    [[nodiscard]] std::size_t index(std::uint64_t byte) const noexcept;
    [[nodiscard]] std::uint64_t offset(std::size_t granule) const noexcept;
};

struct chunk_bitmap {
    chunk_bitmap(std::byte* storage, std::size_t granules) noexcept;
    chunk_bitmap(chunk_bitmap&&) noexcept;
    chunk_bitmap& operator=(chunk_bitmap&&) noexcept;
    [[nodiscard]] static std::size_t storage_bytes(std::size_t granules) noexcept;
    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] std::size_t free_count() const noexcept;
    [[nodiscard]] bool test(std::size_t granule) const noexcept;
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept;
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept;
    bool claim(granule_run run) noexcept;
    std::size_t release(granule_run run) noexcept;
    void reset() noexcept;
};
struct concurrent_bitmap : chunk_bitmap {
    using chunk_bitmap::chunk_bitmap;
    static constexpr bool is_concurrent = true;
    [[nodiscard]] std::optional<std::uint64_t> settled() const noexcept;
};
struct bitmap_that_knows_blocks : chunk_bitmap {
    using chunk_bitmap::chunk_bitmap;
    [[nodiscard]] std::optional<granule_run> block_at(std::size_t granule) const noexcept;
    std::size_t release_block(std::size_t first) noexcept;
    bool abandon_block(std::size_t first) noexcept;
    bool resize(granule_run block, std::size_t granules) noexcept;
};
struct bitmap_that_finds_best : chunk_bitmap {
    using chunk_bitmap::chunk_bitmap;
    [[nodiscard]] std::optional<std::size_t> find_best(const placement& q) const noexcept;
};
struct bitmap_that_knows_longest : chunk_bitmap {
    using chunk_bitmap::chunk_bitmap;
    [[nodiscard]] granule_run longest_free_run() const noexcept;
};
struct bitmap_that_claims_lowest : chunk_bitmap {
    using chunk_bitmap::chunk_bitmap;
    std::optional<std::size_t> claim_lowest(const placement& q) noexcept;
};

struct answer { // convertible to what an algorithm answers, and nothing else
    operator std::optional<std::size_t>() const noexcept;
};
struct algorithm : move_only { // with state of its own: not callable as const
    template <class Bitmap>
    answer operator()(const Bitmap& map, const placement& q);
};
struct concurrent_algorithm : move_only {
    template <class Bitmap>
    answer operator()(const Bitmap& map, const placement& q) const;
};

struct backing_provider : move_only {
    struct region : move_only {};
    [[nodiscard]] std::size_t page_bytes() const noexcept;
    [[nodiscard]] range where(const region& mapped) const noexcept;
    result<void> unmap(region& mapped) noexcept;
};
struct mapping_backing : backing_provider {
    result<region> map(const map_request& wanted) noexcept;
};
struct adopting_backing : backing_provider {
    struct adoption : move_only {};
    result<region> adopt(adoption given) noexcept;
};
struct discarding_backing : mapping_backing {
    result<void> discard(region& mapped, range part) noexcept;
};
struct committing_backing : mapping_backing {
    result<void> commit(region& mapped, range part) noexcept;
    result<void> decommit(region& mapped, range part) noexcept;
};
struct page_moving_backing : committing_backing {
    result<void> move_pages(region& from, range part, region& to, address place) noexcept;
};
struct concurrent_backing : committing_backing {
    static constexpr bool is_concurrent = true;
};

struct protection : move_only {
    static constexpr protection_needs needs = protection_needs::nothing;
    struct attributes {
        friend bool operator==(const attributes&, const attributes&);
    };
    struct area_state {
        area_state() noexcept;
        area_state(area_state&&) = delete;
    };
    template <class Backing, class Region>
    result<void> open_area(Backing& b, Region& r, area_state& state, const attributes& a) noexcept;
    template <class Backing, class Region>
    result<void> close_area(Backing& b, Region& r, area_state& state) noexcept;
    [[nodiscard]] bool admits(const area_state& state, const attributes& wished) const noexcept;
    [[nodiscard]] release_action on_release(const area_state& state) const noexcept;
    [[nodiscard]] strength achieved(const area_state& state) const noexcept;
};
struct closing_protection : protection {
    template <class Backing, class Region>
    result<strength> protect(Backing& b, Region& r, area_state& state) noexcept;
};
struct window_opening_protection : protection {
    struct window : move_only {};
    template <class Backing, class Region>
    result<window> open_window(Backing& b, Region& r, area_state& state, range part) noexcept;
};
struct stateless_protection : move_only {
    static constexpr protection_needs needs = protection_needs::nothing;
    struct attributes {
        friend bool operator==(const attributes&, const attributes&);
    };
    struct area_state {};
    template <class Backing, class Region>
    result<void> open_area(Backing& b, Region& r, area_state& state, const attributes& a) noexcept;
    template <class Backing, class Region>
    result<void> close_area(Backing& b, Region& r, area_state& state) noexcept;
    [[nodiscard]] bool admits(const area_state& state, const attributes& wished) const noexcept;
    [[nodiscard]] release_action on_release(const area_state& state) const noexcept;
    [[nodiscard]] strength achieved(const area_state& state) const noexcept;
};

struct observer : move_only {
    void on(const event& happened) noexcept;
};
struct concurrent_observer : observer {
    static constexpr bool is_concurrent = true;
};

struct metadata_provider : move_only {
    result<std::byte*> take(std::size_t bytes) noexcept;
    void give_back(std::byte* storage, std::size_t bytes) noexcept;
};

struct typed_allocator : move_only {
    static constexpr std::size_t min_align = 1;
    result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                         const layout& old_layout, alloc_flags flags,
                                         numa_node node) noexcept;
};
struct allocator_handle {
    allocator_handle() = delete;
    allocator_handle(const allocator_handle&) noexcept;
    allocator_handle& operator=(const allocator_handle&) noexcept;
    static constexpr std::size_t min_align = 1;
    result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                         const layout& old_layout, alloc_flags flags,
                                         numa_node node) noexcept;
};
struct page_allocator_handle : allocator_handle {
    [[nodiscard]] std::size_t page_bytes() const noexcept;
};

static_assert(palloc::granularity<granularity>);
static_assert(palloc::chunk_bitmap<chunk_bitmap>);
static_assert(palloc::concurrent_bitmap<concurrent_bitmap>);
static_assert(palloc::bitmap_knows_blocks<bitmap_that_knows_blocks>);
static_assert(palloc::bitmap_finds_best<bitmap_that_finds_best>);
static_assert(palloc::bitmap_knows_longest<bitmap_that_knows_longest>);
static_assert(palloc::bitmap_claims_lowest<bitmap_that_claims_lowest>);
static_assert(palloc::algorithm_for<algorithm, chunk_bitmap> &&
              !palloc::concurrent_algorithm_for<algorithm, chunk_bitmap>);
static_assert(palloc::concurrent_algorithm_for<concurrent_algorithm, chunk_bitmap>);
static_assert(palloc::backing_provider<backing_provider> &&
              !palloc::backing_can_map<backing_provider>);
static_assert(palloc::backing_can_map<mapping_backing>);
static_assert(palloc::backing_can_adopt<adopting_backing>);
static_assert(palloc::backing_can_commit<committing_backing>);
static_assert(palloc::backing_can_move_pages<page_moving_backing>);
static_assert(palloc::concurrent_backing<concurrent_backing> &&
              !palloc::concurrent_backing<committing_backing>);
static_assert(palloc::protection_for<protection, backing_provider>);
static_assert(palloc::protection_can_close<closing_protection, backing_provider>);
static_assert(palloc::protection_opens_windows<window_opening_protection, backing_provider>);
static_assert(palloc::stateless_protection<stateless_protection>);
static_assert(palloc::pool_observer<observer>);
static_assert(palloc::concurrent_observer<concurrent_observer>);
static_assert(palloc::metadata_provider<metadata_provider>);
static_assert(palloc::typed_allocator<typed_allocator> &&
              !palloc::allocator_handle<typed_allocator>);
static_assert(palloc::allocator_handle<allocator_handle> &&
              !palloc::shrinking_allocator<allocator_handle> &&
              !palloc::page_allocator<allocator_handle>);
static_assert(palloc::page_allocator<page_allocator_handle>);

} // namespace palloc::inline v0::archetypes
