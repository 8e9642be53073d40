// SPDX-License-Identifier: MIT
/// @file
/// @brief First fit from a random place.
///
/// When to choose it: to make addresses hard to guess by accident, or to age a pool quickly in a
/// test. It fragments more than any other, and the seed is no secret: not a defence by itself.
/// Costs: one or two `find_fit`; 8 bytes of state, so it is not callable as const.
///
/// Source: the generator is splitmix64: G. L. Steele et al., OOPSLA 2014.
#pragma once

#include <palloc/algorithms/detail/rotated_fit.hpp>
#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>
#include <palloc/core/wide.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0 {

/// @brief Places at the lowest legal free position from a random one on, else at the lowest.
class random_fit {
  public:
    /// @param seed equal seeds give equal sequences.
    explicit constexpr random_fit(std::uint64_t seed = 0) noexcept : state_(seed) {}

    /// @return the position.
    /// @par Complexity two of the bitmap's `find_fit`
    /// @par Thread safety none
    template <chunk_bitmap Bitmap>
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) noexcept {
        if (q.from > q.limit || q.count > q.limit - q.from)
            return std::nullopt;
        const std::size_t places = q.limit - q.from - q.count + 1;
        return detail::rotated_fit(bitmap, q, q.from + below(places));
    }

  private:
    /// @brief A number in [0, bound), each as likely as the others to within 2^-64 bound.
    [[nodiscard]] constexpr std::size_t below(std::size_t bound) noexcept {
        return static_cast<std::size_t>(upper_half(next(), bound));
    }

    [[nodiscard]] constexpr std::uint64_t next() noexcept {
        std::uint64_t mixed = (state_ += 0x9e3779b97f4a7c15);
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }

    std::uint64_t state_;
};

static_assert(algorithm_for<random_fit, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
