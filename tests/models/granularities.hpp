// SPDX-License-Identifier: MIT
/// @file
/// @brief All granularities.
#pragma once

#include <palloc/granularities/order_granule.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/granularities/static_granule.hpp>

#include <tuple>

namespace palloc::test {

using granularity_models = std::tuple<static_granule<64>, //
                                      static_granule<48>, //
                                      order_granule,      //
                                      sized_granule>;

/// @brief One of each.
template <class Granule>
[[nodiscard]] Granule make_granularity() {
    return Granule{};
}
template <>
[[nodiscard]] inline order_granule make_granularity<order_granule>() {
    return order_granule(6);
}
template <>
[[nodiscard]] inline sized_granule make_granularity<sized_granule>() {
    return sized_granule(112);
}

} // namespace palloc::test
