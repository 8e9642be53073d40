// SPDX-License-Identifier: MIT
/// @file
/// @brief Granules of 2^order bytes, the order chosen at run time.
///
/// When to choose it: the size is a power of two and comes from the caller, as in genalloc. Costs:
/// one byte; shifts by a variable.
#pragma once

#include <palloc/concepts/granularity.hpp>
#include <palloc/core/wide.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief Granules of 2^order bytes.
class order_granule {
  public:
    /// @pre `order` < 64.
    explicit constexpr order_granule(unsigned order) noexcept
        : order_(static_cast<std::uint8_t>(order)) {}

    /// @brief The size of a granule, as the power of two that it is.
    [[nodiscard]] constexpr unsigned order() const noexcept { return order_; }

    /// @brief The size of a granule, in bytes.
    [[nodiscard]] constexpr std::uint64_t bytes() const noexcept {
        return std::uint64_t{1} << order_;
    }

    /// @brief The granules that hold `n` bytes, for every `n` up to 2^64 - 1.
    [[nodiscard]] constexpr std::size_t count(std::uint64_t n) const noexcept {
        return saturated_size((n >> order_) +
                              ((n & (bytes() - 1)) != 0)); // n + bytes() - 1 could overflow
    }

    /// @brief The granule in which byte `n` lies.
    [[nodiscard]] constexpr std::size_t index(std::uint64_t n) const noexcept {
        return saturated_size(n >> order_);
    }

    /// @brief The first byte of granule `i`.
    [[nodiscard]] constexpr std::uint64_t offset(std::size_t i) const noexcept {
        return std::uint64_t{i} << order_;
    }

    friend constexpr bool operator==(order_granule, order_granule) = default;

  private:
    std::uint8_t order_;
};

static_assert(granularity<order_granule>);

} // namespace palloc::inline v0
