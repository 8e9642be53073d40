// SPDX-License-Identifier: MIT
/// @file
/// @brief Random numbers that take next to nothing, as they are drawn between timed operations.
#pragma once

#include <cstdint>

namespace palloc::bench::micro {

/// @brief Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014 (splitmix64).
class dice {
  public:
    explicit dice(std::uint64_t seed) noexcept : state_(seed) {}

    [[nodiscard]] std::uint64_t bits() noexcept {
        std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }

    /// @brief A number in [0, bound).
    /// @pre  bound < 2^32.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept {
        return (bits() >> 32) * bound >> 32;
    }

  private:
    std::uint64_t state_;
};

} // namespace palloc::bench::micro
