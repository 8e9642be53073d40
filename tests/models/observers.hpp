// SPDX-License-Identifier: MIT
/// @file
/// @brief All observers.
#pragma once

#include <palloc/observers/recorder.hpp>
#include <palloc/observers/statistics.hpp>

#include <span>
#include <tuple>

namespace palloc::test {

using observer_models = std::tuple<statistics,            //
                                   concurrent_statistics, //
                                   recorder>;

/// @brief One of each.
template <class Observer>
[[nodiscard]] Observer make_observer() {
    return Observer{};
}
template <>
[[nodiscard]] inline recorder make_observer<recorder>() {
    return recorder(std::span<trace_record>{});
}

} // namespace palloc::test
