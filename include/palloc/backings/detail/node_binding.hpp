// SPDX-License-Identifier: MIT
/// @file
/// @brief Memory and the node that it is to come from, for what is wrapped around a backing.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/range.hpp>

namespace palloc::inline v0::detail {

/// @brief Asks for the pages of a mapping to come from a node, those that are there already
/// included; `any_node` withdraws the wish.
/// @param required  from no other node, even if it has no memory left
/// @par Errors `bad_argument` for a number that no node can have; `not_supported` where the kernel
/// knows no nodes or lets this process choose none; `os_failure`: EINVAL where there is no such
/// node, EIO where pages could not be moved
[[nodiscard]] result<void> bind_to_node(range where, numa_node node, bool required) noexcept;

/// @brief Makes the pages be there, by writing nothing to them.
/// @par Errors `os_failure`: EFAULT where a large page cannot be had, ENOMEM
[[nodiscard]] result<void> populate(range where) noexcept;

/// @brief The node that the page at `place` lies on.
/// @par Errors `not_supported`; `os_failure`: ENOENT where no page is there yet
[[nodiscard]] result<numa_node> node_of(address place) noexcept;

} // namespace palloc::inline v0::detail
