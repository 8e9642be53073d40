// SPDX-License-Identifier: MIT
/// @file
/// @brief Areas that nobody changes, replaces or unmaps before the process ends, once they are
/// protected.
///
/// When to choose it: data that lives as long as the process and has to withstand everything: no
/// known way alters it, root included. The price is in the name: the memory of a protected area is
/// never given back, children inherit it, and destroying the pool leaves it mapped. Costs: one
/// system call an area more than `sealed`. The ladder: permanent, sealed, read_only.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/protections/detail/seal_ladder.hpp>

namespace palloc::inline v0 {

/// @brief Seals the memory, then the mapping.
class permanent : public detail::seal_ladder<detail::rung::permanent> {
  public:
    static constexpr protection_needs needs = protection_needs::seal | protection_needs::permanence;

    constexpr explicit permanent(demand insistence = demand::required) noexcept
        : seal_ladder(insistence) {}
};

} // namespace palloc::inline v0
