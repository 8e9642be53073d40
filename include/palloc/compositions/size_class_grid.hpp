// SPDX-License-Identifier: MIT
/// @file
/// @brief Which sizes of blocks there are: 16, 32, … and then some steps to every doubling.
///
/// Four steps: 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, … waste at most 20 % of a
/// block above 128 bytes; eight steps half of that, with twice as many classes.
#pragma once

#include <palloc/core/version.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @tparam StepsLog2  2: four classes a doubling; 3: eight.
template <unsigned StepsLog2 = 2>
    requires(StepsLog2 < 16)
struct size_class_grid {
    static constexpr std::uint64_t least_bytes = 16; ///< all classes are multiples of it

    /// @brief The smallest class that holds `bytes` bytes. Six instructions, no branch, no table.
    /// @pre  `bytes` is not 0.
    [[nodiscard]] static constexpr std::size_t index(std::uint64_t bytes) noexcept {
        const std::uint64_t last = bytes - 1;
        const unsigned shift =
            static_cast<unsigned>(std::bit_width(last | (least_bytes << StepsLog2))) - 1 -
            StepsLog2;
        return static_cast<std::size_t>((last >> shift) +
                                        (std::uint64_t{shift - least_log2} << StepsLog2));
    }

    /// @brief The size of a class in bytes; below 2^63.
    [[nodiscard]] static constexpr std::uint64_t bytes(std::size_t index) noexcept {
        constexpr std::size_t steps = std::size_t{1} << StepsLog2;
        if (index < 2 * steps)
            return (index + 1) * least_bytes;
        return std::uint64_t{steps + index % steps + 1} << (least_log2 + index / steps - 1);
    }

  private:
    static constexpr unsigned least_log2 = 4;
    static_assert(least_bytes == std::uint64_t{1} << least_log2);
};

} // namespace palloc::inline v0
