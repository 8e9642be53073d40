// SPDX-License-Identifier: MIT
/// @file
/// @brief A NUMA node, or the absence of a wish.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/version.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief The number of a memory node; `any_node` leaves the choice to the system.
struct numa_node {
    static constexpr std::int32_t limit = 1024; ///< Linux has no more than that

    std::int32_t number = -1;

    /// @brief The node of that number, whether this machine has it or not.
    /// @par Errors `bad_argument` where it is negative or not below `limit`
    [[nodiscard]] static constexpr result<numa_node> make(std::int32_t number) noexcept;

    friend constexpr bool operator==(numa_node, numa_node) = default;
};

constexpr result<numa_node> numa_node::make(std::int32_t number) noexcept {
    if (number < 0 || number >= limit)
        return fail(errc::bad_argument);
    return numa_node{number};
}

/// @brief No wish as to the node.
inline constexpr numa_node any_node{};
/// @brief The same, as the kernel spells it.
inline constexpr numa_node no_node = any_node;

} // namespace palloc::inline v0
