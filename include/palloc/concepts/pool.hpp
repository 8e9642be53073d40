// SPDX-License-Identifier: MIT
/// @file
/// @brief Concepts: which policies go together, and what a pool offers to compositions and bridges.
///
/// The first group are sentences: the pool checks them before anything else, so that a wrong
/// combination is refused in words. The second group is what a composition may ask of its parts.
///
/// | expression                          | type              | meaning                              |
/// |-------------------------------------|-------------------|--------------------------------------|
/// | `p.allocate(bytes, alignment)`      | `result<address>` | a block                              |
/// | `p.deallocate(a, bytes, alignment)` | `result<void>`    | gives it back; equal size, alignment |
/// | `p.owns(a)`                         | `bool`            | whether the address is the pool's    |
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/observer.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace palloc::inline v0 {

template <class Bitmap, class Algorithm>
concept shared_bitmap_needs_algorithm_callable_as_const =
    !concurrent_bitmap<Bitmap> || concurrent_algorithm_for<Algorithm, Bitmap>;
template <class Bitmap, class Protection>
concept shared_bitmap_needs_protection_without_area_state =
    !concurrent_bitmap<Bitmap> || stateless_protection<Protection>;
template <class Bitmap, class Backing>
concept shared_bitmap_needs_backing_that_commits_concurrently =
    !concurrent_bitmap<Bitmap> || concurrent_backing<Backing>;
template <class Bitmap, class Observer>
concept shared_bitmap_needs_concurrent_observer =
    !concurrent_bitmap<Bitmap> || concurrent_observer<Observer>;

/// @brief Hands out blocks and takes them back: a pool, or a composition of pools.
template <class P>
concept block_allocator =
    requires(P& p, std::uint64_t bytes, std::uint64_t alignment, address block) {
        { p.allocate(bytes, alignment) } noexcept -> std::same_as<result<address>>;
        { p.deallocate(block, bytes, alignment) } noexcept -> std::same_as<result<void>>;
        { p.owns(block) } noexcept -> std::same_as<bool>;
    };

/// @brief Hands out, and takes back, several blocks of one size in one step.
///
/// `allocate_many` fills `room` from the front with what single calls would answer, as far as they
/// succeed, and answers how many. What is wrong with a block of `blocks` is reported as misuse.
template <class P>
concept batch_allocator =
    block_allocator<P> && requires(P& p, std::uint64_t bytes, std::uint64_t alignment,
                                   std::span<address> room, std::span<const address> blocks) {
        { p.allocate_many(bytes, alignment, room) } noexcept -> std::same_as<std::size_t>;
        { p.deallocate_many(blocks, bytes, alignment) } noexcept -> std::same_as<void>;
    };

/// @brief Its blocks may be read and written at their addresses.
template <class P>
concept touchable_allocator = block_allocator<P> && requires { requires P::is_touchable; };

/// @brief Its memory may be touched, and its requests carry no wishes about protection: memory that
/// may not simply be written can never reach a container.
template <class Pool>
concept pool_can_serve_containers =
    touchable_allocator<Pool> && (!requires { typename Pool::attributes; } || requires {
        requires std::is_empty_v<typename Pool::attributes>;
    });

/// @brief May be called by several threads at once.
template <class P>
concept concurrent_allocator = block_allocator<P> && requires { requires P::is_concurrent; };

} // namespace palloc::inline v0
