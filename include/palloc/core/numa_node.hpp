// SPDX-License-Identifier: MIT
/// @file
/// @brief A NUMA node, or the absence of a wish.
#pragma once

#include <palloc/core/version.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief The number of a memory node; `any_node` leaves the choice to the system.
struct numa_node {
    std::int32_t number = -1;

    friend constexpr bool operator==(numa_node, numa_node) = default;
};

/// @brief No wish as to the node.
inline constexpr numa_node any_node{};

} // namespace palloc::inline v0
