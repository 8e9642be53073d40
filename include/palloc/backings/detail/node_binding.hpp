// SPDX-License-Identifier: MIT
/// @file
/// @brief Telling the system on which node pages should lie.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/range.hpp>

namespace palloc::inline v0::detail {

/// @brief The pages, when they are touched first, come from the node if it has any left; from
/// wherever the process prefers where `node` is `any_node`.
/// @par Errors `bad_argument` where the number is none of a node; `os_failure`: EINVAL where the
/// machine has no such node, EPERM or ENOSYS where the process may not ask
[[nodiscard]] result<void> bind_to_node(range pages, numa_node node) noexcept;

} // namespace palloc::inline v0::detail
