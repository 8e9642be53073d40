// SPDX-License-Identifier: MIT
// As concepts_test.cpp, for the concepts about memory: backings, protections, and pools.
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/concepts/archetypes.hpp>
#include <palloc/concepts/pool.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

#include "one_thing_broken.hpp"

namespace palloc::inline v0::negatives {

namespace a = archetypes;

struct not_movable {
    not_movable() = default;
    not_movable(const not_movable&) = delete;
    not_movable& operator=(const not_movable&) = delete;
};

// ---------------------------------------------------------------- backing

/// A backing whose calls take `Region`.
template <class Region>
struct backing_of : a::move_only {
    using region = Region;
    [[nodiscard]] std::size_t page_bytes() const noexcept;
    [[nodiscard]] range where(const region&) const noexcept;
    result<void> unmap(region&) noexcept;
};
struct region : a::move_only {};
struct region_that_stays : not_movable {};
struct backing_that_stays : test::from<a::backing_provider>, not_movable {};
struct backing_without_region : a::move_only {
    [[nodiscard]] std::size_t page_bytes() const noexcept;
    [[nodiscard]] range where(const region&) const noexcept;
    result<void> unmap(region&) noexcept;
};
static_assert(backing_provider<backing_of<region>> && !backing_provider<backing_without_region>);
static_assert(!backing_provider<backing_of<region_that_stays>>);
static_assert(!backing_provider<backing_that_stays>);
PALLOC_ASKS_FOR_CONST(backing_provider, a::backing_provider, std::size_t, page_bytes())
PALLOC_ASKS_FOR_CONST(backing_provider, a::backing_provider, range, where(const region&))
PALLOC_BREAKS(backing_provider, a::backing_provider, range where(const region&) const noexcept,
              range where(region&) const noexcept)
PALLOC_ASKS_FOR(backing_provider, a::backing_provider, result<void>, unmap(region&))

PALLOC_ASKS_FOR(backing_can_map, a::mapping_backing, result<region>, map(const map_request&))
PALLOC_ASKS_FOR(backing_can_map, a::mapping_backing, result<void>, unmap(region&))

PALLOC_BREAKS(backing_can_adopt, a::adopting_backing,
              using adoption = a::adopting_backing::adoption, using adoption = void)
PALLOC_ASKS_FOR(backing_can_adopt, a::adopting_backing, result<region>, adopt(adoption))
PALLOC_ASKS_FOR(backing_can_adopt, a::adopting_backing, result<void>, unmap(region&))

/// Offers every refinement that has no archetype of its own.
struct rich_backing : a::page_moving_backing {
    static constexpr bool is_touchable = true;
    [[nodiscard]] result<address> physical(const region&, address) const noexcept;
    [[nodiscard]] void* owner(const region&) const noexcept;
    result<void> protect(region&, range, permissions) noexcept;
    [[nodiscard]] fork_treatment in_child() const noexcept;
    result<address> open_alias(region&) noexcept;
    result<void> close_alias(region&) noexcept;
    result<void> replace_view(region&, permissions) noexcept;
    result<void> seal(region&) noexcept;
};
PALLOC_BREAKS(memory_may_be_touched, rich_backing, static constexpr bool is_touchable = true,
              static constexpr bool is_touchable = false)
PALLOC_ASKS_FOR(memory_may_be_touched, rich_backing, result<void>, unmap(region&))
static_assert(!memory_may_be_touched<a::backing_provider>);
PALLOC_ASKS_FOR_CONST(backing_knows_physical_addresses, rich_backing, result<address>,
                      physical(const region&, address))
PALLOC_ASKS_FOR_CONST(backing_knows_owners, rich_backing, void*, owner(const region&))
PALLOC_ASKS_FOR(backing_can_change_permissions, rich_backing, result<void>,
                protect(region&, range, permissions))
PALLOC_ASKS_FOR(backing_has_two_views, rich_backing, result<address>, open_alias(region&))
PALLOC_ASKS_FOR(backing_has_two_views, rich_backing, result<void>, close_alias(region&))
PALLOC_ASKS_FOR(backing_has_two_views, rich_backing, result<void>,
                replace_view(region&, permissions))
PALLOC_ASKS_FOR(backing_can_seal, rich_backing, result<void>, seal(region&))
PALLOC_ASKS_FOR(backing_can_seal, rich_backing, result<address>, open_alias(region&))
PALLOC_ASKS_FOR_CONST(backing_states_fork_treatment, rich_backing, fork_treatment, in_child())
PALLOC_ASKS_FOR(backing_can_discard, a::discarding_backing, result<void>, discard(region&, range))
PALLOC_ASKS_FOR(backing_can_commit, a::committing_backing, result<void>, commit(region&, range))
PALLOC_ASKS_FOR(backing_can_commit, a::committing_backing, result<void>, decommit(region&, range))
PALLOC_ASKS_FOR(backing_can_move_pages, a::page_moving_backing, result<void>,
                move_pages(region&, range, region&, address))
PALLOC_ASKS_FOR(backing_can_move_pages, a::page_moving_backing, result<void>,
                commit(region&, range))
PALLOC_BREAKS(concurrent_backing, a::concurrent_backing, static constexpr bool is_concurrent = true,
              static constexpr bool is_concurrent = false)
static_assert(concurrent_backing<a::mapping_backing>); // it does nothing for a block
PALLOC_ASKS_FOR(concurrent_backing, a::mapping_backing, result<void>, unmap(region&))

// ---------------------------------------------------------------- protection

using b = a::backing_provider;
using r = b::region;
using s = a::protection::area_state;
using w = a::protection::attributes;

template <class P>
concept protection = protection_for<P, b>;
template <class P>
concept closing_protection = protection_can_close<P, b>;
template <class P>
concept window_protection = protection_opens_windows<P, b>;
template <class B>
concept backing_of_a_protection = protection_for<a::protection, B>;

template <protection_needs Needs>
struct needing : test::from<a::protection> {
    static constexpr protection_needs needs = Needs;
};
using enum protection_needs;
template <protection_needs Needs>
inline constexpr bool served_by_rich_and_not_by_poor =
    protection_for<needing<Needs>, rich_backing> && !protection_for<needing<Needs>, b>;
static_assert(protection_for<needing<nothing>, b>);
static_assert(served_by_rich_and_not_by_poor<protection_needs::permissions>);
static_assert(served_by_rich_and_not_by_poor<two_views> && served_by_rich_and_not_by_poor<seal>);
static_assert(served_by_rich_and_not_by_poor < protection_needs::permissions | two_views >);
static_assert(!protection_needs_a_backing_that_can_seal<needing<seal>, b> &&
              protection_needs_a_backing_that_can_seal<needing<seal>, rich_backing> &&
              protection_needs_a_backing_that_can_seal<needing<two_views>, b>);
static_assert(!protection_needs_a_backing_with_two_views<needing<two_views>, b> &&
              protection_needs_a_backing_with_two_views<needing<two_views>, rich_backing> &&
              protection_needs_a_backing_with_two_views<needing<seal>, b>);
static_assert(
    !protection_needs_a_backing_that_can_change_permissions<needing<protection_needs::permissions>,
                                                            b> &&
    protection_needs_a_backing_that_can_change_permissions<needing<protection_needs::permissions>,
                                                           rich_backing> &&
    protection_needs_a_backing_that_can_change_permissions<needing<seal>, b>);

struct protection_that_stays : test::from<a::protection>, not_movable {};
static_assert(!protection<protection_that_stays>);
PALLOC_ASKS_FOR(backing_of_a_protection, a::backing_provider, result<void>, unmap(region&))
PALLOC_ASKS_FOR(protection, a::protection, result<void>, open_area(b&, r&, s&, const w&))
PALLOC_BREAKS(protection, a::protection, result<void> open_area(b&, r&, s&, const w&) noexcept,
              result<void> open_area(b&, r&, s&, w&) noexcept)
PALLOC_ASKS_FOR(protection, a::protection, result<void>, close_area(b&, r&, s&))
PALLOC_ASKS_FOR_CONST(protection, a::protection, bool, admits(const s&, const w&))
PALLOC_BREAKS(protection, a::protection, bool admits(const s&, const w&) const noexcept,
              bool admits(s&, const w&) const noexcept)
PALLOC_ASKS_FOR_CONST(protection, a::protection, release_action, on_release(const s&))
PALLOC_ASKS_FOR_CONST(protection, a::protection, strength, achieved(const s&))

/// A protection whose wishes and states are of these types.
template <class Attributes, class State>
struct protection_of : a::move_only {
    static constexpr protection_needs needs = nothing;
    using attributes = Attributes;
    using area_state = State;
    result<void> open_area(b&, r&, State&, const Attributes&) noexcept;
    result<void> close_area(b&, r&, State&) noexcept;
    [[nodiscard]] bool admits(const State&, const Attributes&) const noexcept;
    [[nodiscard]] release_action on_release(const State&) const noexcept;
    [[nodiscard]] strength achieved(const State&) const noexcept;
};
struct wishes_that_cannot_be_compared {};
struct state_that_needs_a_number {
    explicit state_that_needs_a_number(int number) noexcept;
};
static_assert(protection<protection_of<w, s>> && protection<protection_of<int, int>>);
static_assert(!protection<protection_of<wishes_that_cannot_be_compared, s>>);
static_assert(!protection<protection_of<w, state_that_needs_a_number>>);

PALLOC_ASKS_FOR(closing_protection, a::closing_protection, result<strength>, protect(b&, r&, s&))
PALLOC_ASKS_FOR(closing_protection, a::closing_protection, result<void>, close_area(b&, r&, s&))
PALLOC_ASKS_FOR(window_protection, a::window_opening_protection, result<window>,
                open_window(b&, r&, s&, range))
PALLOC_BREAKS(window_protection, a::window_opening_protection, struct other{},
              using window = test::something_else)
PALLOC_ASKS_FOR(window_protection, a::window_opening_protection, result<void>,
                close_area(b&, r&, s&))
PALLOC_BREAKS(
    stateless_protection, a::stateless_protection, struct area_state{},
    struct area_state { int opened; })

// ---------------------------------------------------------------- which go together

static_assert(shared_bitmap_needs_algorithm_callable_as_const<a::chunk_bitmap, a::algorithm>);
static_assert(
    !shared_bitmap_needs_algorithm_callable_as_const<a::concurrent_bitmap, a::algorithm> &&
    shared_bitmap_needs_algorithm_callable_as_const<a::concurrent_bitmap, a::concurrent_algorithm>);
static_assert(
    shared_bitmap_needs_protection_without_area_state<a::chunk_bitmap, protection_of<w, int>>);
static_assert(!shared_bitmap_needs_protection_without_area_state<a::concurrent_bitmap,
                                                                 protection_of<w, int>> &&
              shared_bitmap_needs_protection_without_area_state<a::concurrent_bitmap,
                                                                a::stateless_protection>);
static_assert(
    shared_bitmap_needs_backing_that_commits_concurrently<a::chunk_bitmap, a::committing_backing>);
static_assert(!shared_bitmap_needs_backing_that_commits_concurrently<a::concurrent_bitmap,
                                                                     a::committing_backing> &&
              shared_bitmap_needs_backing_that_commits_concurrently<a::concurrent_bitmap,
                                                                    a::concurrent_backing> &&
              shared_bitmap_needs_backing_that_commits_concurrently<a::concurrent_bitmap,
                                                                    a::mapping_backing>);
static_assert(shared_bitmap_needs_concurrent_observer<a::chunk_bitmap, a::observer>);
static_assert(
    !shared_bitmap_needs_concurrent_observer<a::concurrent_bitmap, a::observer> &&
    shared_bitmap_needs_concurrent_observer<a::concurrent_bitmap, a::concurrent_observer>);

// ---------------------------------------------------------------- pools and compositions

struct any_pool {
    static constexpr bool is_touchable = true;
    static constexpr bool is_concurrent = true;
    result<address> allocate(std::uint64_t, std::uint64_t) noexcept;
    result<void> deallocate(address, std::uint64_t, std::uint64_t) noexcept;
    std::size_t allocate_many(std::uint64_t, std::uint64_t, std::span<address>) noexcept;
    void deallocate_many(std::span<const address>, std::uint64_t, std::uint64_t) noexcept;
    bool owns(address) noexcept;
};
PALLOC_ASKS_FOR(block_allocator, any_pool, result<address>, allocate(std::uint64_t, std::uint64_t))
PALLOC_ASKS_FOR(block_allocator, any_pool, result<void>,
                deallocate(address, std::uint64_t, std::uint64_t))
PALLOC_ASKS_FOR(block_allocator, any_pool, bool, owns(address))
PALLOC_ASKS_FOR(batch_allocator, any_pool, std::size_t,
                allocate_many(std::uint64_t, std::uint64_t, std::span<address>))
PALLOC_ASKS_FOR(batch_allocator, any_pool, void,
                deallocate_many(std::span<const address>, std::uint64_t, std::uint64_t))
PALLOC_ASKS_FOR(batch_allocator, any_pool, bool, owns(address))
PALLOC_BREAKS(touchable_allocator, any_pool, static constexpr bool is_touchable = true,
              static constexpr bool is_touchable = false)
PALLOC_ASKS_FOR(touchable_allocator, any_pool, bool, owns(address))
PALLOC_BREAKS(concurrent_allocator, any_pool, static constexpr bool is_concurrent = true,
              static constexpr bool is_concurrent = false)
PALLOC_ASKS_FOR(concurrent_allocator, any_pool, bool, owns(address))
PALLOC_BREAKS(
    pool_can_serve_containers, any_pool, struct attributes{}, struct attributes { int wanted; })
PALLOC_BREAKS(pool_can_serve_containers, any_pool, static constexpr bool is_touchable = true,
              static constexpr bool is_touchable = false)

} // namespace palloc::inline v0::negatives
