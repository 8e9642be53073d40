// SPDX-License-Identifier: MIT
/// @file
/// @brief All algorithms.
#pragma once

#include <palloc/algorithms/any_algorithm.hpp>
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/buddy.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/first_fit_order_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/algorithms/next_fit.hpp>
#include <palloc/algorithms/random_fit.hpp>
#include <palloc/algorithms/spread.hpp>
#include <palloc/algorithms/worst_fit.hpp>

#include <tuple>

namespace palloc::test {

template <class Bitmap>
using algorithm_models = std::tuple<first_fit,             //
                                    best_fit,              //
                                    worst_fit,             //
                                    next_fit,              //
                                    random_fit,            //
                                    spread,                //
                                    buddy,                 //
                                    first_fit_align,       //
                                    first_fit_order_align, //
                                    fixed,                 //
                                    any_algorithm<Bitmap>>;

/// @brief Finds a place whenever a legal one is free.
template <class Algorithm>
inline constexpr bool is_complete = true;
template <>
inline constexpr bool is_complete<buddy> = false;
template <>
inline constexpr bool is_complete<first_fit_order_align> = false;
template <>
inline constexpr bool is_complete<fixed> = false;

/// @brief Places requests of one granule until there is no room; `fixed` knows one place only.
template <class Algorithm>
inline constexpr bool is_general = true;
template <>
inline constexpr bool is_general<fixed> = false;

/// @brief One of each; those that need data get data with which they are most useful.
template <class Algorithm>
[[nodiscard]] Algorithm make_algorithm() {
    return Algorithm{};
}
template <>
[[nodiscard]] inline first_fit_align make_algorithm<first_fit_align>() {
    return first_fit_align(1);
}
template <>
[[nodiscard]] inline fixed make_algorithm<fixed>() {
    return fixed(0);
}

} // namespace palloc::test
