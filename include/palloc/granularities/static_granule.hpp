// SPDX-License-Identifier: MIT
/// @file
/// @brief Granules of a size that is known when the program is compiled.
///
/// When to choose it: whenever the size is known; the compiler turns powers of two into shifts and
/// other sizes into a multiplication. Costs: no storage; one to four instructions a call.
#pragma once

#include <palloc/concepts/granularity.hpp>
#include <palloc/core/wide.hpp>

#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief Granules of `Bytes` bytes; any size from 1 on.
template <std::uint64_t Bytes>
    requires(Bytes >= 1)
struct static_granule {
    /// @brief The size of a granule, in bytes.
    [[nodiscard]] static constexpr std::uint64_t bytes() noexcept { return Bytes; }

    /// @brief The granules that hold `n` bytes, for every `n` up to 2^64 - 1.
    [[nodiscard]] static constexpr std::size_t count(std::uint64_t n) noexcept {
        return saturated_size(n / Bytes + (n % Bytes != 0)); // n + Bytes - 1 could overflow
    }

    /// @brief The granule in which byte `n` lies.
    [[nodiscard]] static constexpr std::size_t index(std::uint64_t n) noexcept {
        return saturated_size(n / Bytes);
    }

    /// @brief The first byte of granule `i`.
    [[nodiscard]] static constexpr std::uint64_t offset(std::size_t i) noexcept {
        return i * Bytes;
    }
};

static_assert(granularity<static_granule<64>>);

} // namespace palloc::inline v0
