// SPDX-License-Identifier: MIT
/// @file
/// @brief Granules of any size, chosen at run time, without a division on the path of a request.
///
/// When to choose it: size classes such as 48, 80 or 112 bytes that come from a table. Costs: 32
/// bytes; a multiplication, an addition and a shift a call.
///
/// Source: A. D. Robison, "N-bit unsigned division via N-bit multiply-add", ARITH-17, 2005.
#pragma once

#include <palloc/concepts/granularity.hpp>
#include <palloc/core/wide.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief Granules of any size from 1 byte on.
///
/// Exact for every offset below 2^64. Let d be the size, k = floor(log2 d), and
/// 2^(64+k) = a d + r with 0 < r < d (d no power of two). With n = q d + s, 0 <= s < d:
///
/// - r <= 2^k: a (n + 1) / 2^(64+k) = (n + 1)/d - r (n + 1) / (d 2^(64+k)). The first term is at
///   least q + 1/d and at most q + 1, the second more than 0 and at most 1/d: the floor is q.
/// - r > 2^k: (a + 1) n / 2^(64+k) = n/d + (d - r) n / (d 2^(64+k)). As d < 2^(k+1), d - r < 2^k,
///   so the second term is below 1/d, while the first is at most q + (d - 1)/d: the floor is q.
/// - d = 2^k: a would be 2^64; 2^64 - 1 serves, as (2^64 - 1)(n + 1) / 2^64 lies in [n, n + 1).
class sized_granule {
  public:
    /// @pre `bytes` >= 1.
    explicit constexpr sized_granule(std::uint64_t bytes) noexcept
        : bytes_(bytes), shift_(static_cast<unsigned>(std::bit_width(bytes)) - 1U) {
        if (std::has_single_bit(bytes)) {
            scale_ = addend_ = ~std::uint64_t{0};
            return;
        }
        const auto [quotient, remainder] = divide_upper(std::bit_floor(bytes), bytes);
        scale_ = quotient;
        if (remainder <= std::bit_floor(bytes))
            addend_ = scale_;
        else
            ++scale_;
    }

    /// @brief The size of a granule, in bytes.
    [[nodiscard]] constexpr std::uint64_t bytes() const noexcept { return bytes_; }

    /// @brief The granules that hold `n` bytes, for every `n` up to 2^64 - 1.
    [[nodiscard]] constexpr std::size_t count(std::uint64_t n) const noexcept {
        const std::uint64_t whole = quotient(n);
        return saturated_size(whole + (whole * bytes_ != n));
    }

    /// @brief The granule in which byte `n` lies.
    [[nodiscard]] constexpr std::size_t index(std::uint64_t n) const noexcept {
        return saturated_size(quotient(n));
    }

    /// @brief The first byte of granule `i`.
    [[nodiscard]] constexpr std::uint64_t offset(std::size_t i) const noexcept {
        return i * bytes_;
    }

    friend constexpr bool operator==(const sized_granule&, const sized_granule&) = default;

  private:
    [[nodiscard]] constexpr std::uint64_t quotient(std::uint64_t n) const noexcept {
        return upper_half(scale_, n, addend_) >> shift_;
    }

    std::uint64_t bytes_;
    std::uint64_t scale_ = 0;
    std::uint64_t addend_ = 0;
    unsigned shift_;
};

static_assert(granularity<sized_granule>);

} // namespace palloc::inline v0
