// SPDX-License-Identifier: MIT
/// @file
/// @brief Concepts: which free run to take.
///
/// An algorithm answers where a request should lie. It only looks: it never claims, and it never
/// hears of a free, so nothing about who placed a block has to be remembered.
///
/// | expression | type                                    | meaning                              |
/// |------------|-----------------------------------------|--------------------------------------|
/// | `a(m, q)`  | convertible to `optional<std::size_t>`  | a free legal position, or none       |
///
/// A lambda is a model. What it answers is checked by the pool, so a wrong answer is an error and
/// never an overlap. An algorithm whose call is const may be asked by several threads at once; one
/// with state of its own is not callable as const, and says so by that.
///
/// A fact that an algorithm may claim: `takes_lowest`, its answer is always the bitmap's
/// `find_fit`, so the bitmap may find and claim in one step. Minimal model:
/// `archetypes::algorithm`. Not promised: that the bitmap stands still meanwhile.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/placement.hpp>

#include <concepts>
#include <cstddef>
#include <optional>

namespace palloc::inline v0 {

template <class A, class M>
concept algorithm_for = chunk_bitmap<M> && std::move_constructible<A> &&
                        requires(A& a, const M& m, const placement& q) {
                            { a(m, q) } -> std::convertible_to<std::optional<std::size_t>>;
                        };

/// @brief May be asked by several threads at once.
template <class A, class M>
concept concurrent_algorithm_for =
    algorithm_for<A, M> && requires(const A& a, const M& m, const placement& q) {
        { a(m, q) } -> std::convertible_to<std::optional<std::size_t>>;
    };

/// @brief Always answers what the bitmap's `find_fit` answers.
template <class A>
concept algorithm_takes_lowest = requires { requires A::takes_lowest; };

} // namespace palloc::inline v0
