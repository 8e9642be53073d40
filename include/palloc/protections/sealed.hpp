// SPDX-License-Identifier: MIT
/// @file
/// @brief Areas whose contents the kernel refuses to let anybody change, once they are protected.
///
/// When to choose it: data that is loaded once and has to withstand an attacker who can make system
/// calls, in a pool that ends before the process does. Contents cannot be written by any way, root
/// included; what is left is to unmap or replace the whole mapping (`permanent` closes that too).
/// Costs: some six system calls an area to protect; a byte an area; reading costs nothing. The
/// ladder: sealed, read_only.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/protections/detail/seal_ladder.hpp>

namespace palloc::inline v0 {

/// @brief Replaces the view by a read-only one and seals the memory behind it.
class sealed : public detail::seal_ladder<detail::rung::sealed> {
  public:
    static constexpr protection_needs needs = protection_needs::seal;

    constexpr explicit sealed(demand insistence = demand::required) noexcept
        : seal_ladder(insistence) {}
};

} // namespace palloc::inline v0
