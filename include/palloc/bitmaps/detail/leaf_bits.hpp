// SPDX-License-Identifier: MIT
/// @file
/// @brief A bitmap, searched for free runs one *leaf* at a time: a cache line, 512 granules.
///
/// 64 places are looked at at once, in a window of the word that holds them and the one behind.
/// There is always one behind: the storage has a word more than the leaves.
/// @par Source  `fits`: Warren, Hacker's Delight, 6-3.
#pragma once

#include <palloc/core/bits.hpp>
#include <palloc/core/placement.hpp>

#include <bit>
#include <cstddef>

namespace palloc::inline v0::detail {

/// @brief Where in `low` a run of at least `count` granules lies, its first or a later one; 1 =
/// free.
/// @param high  the word behind `low`
/// @pre  1 <= count <= 64.
[[nodiscard]] constexpr bits::word fits(bits::word low, bits::word high,
                                        std::size_t count) noexcept {
    for (std::size_t known = 1; known < count;) {
        const std::size_t step = known < count - known ? known : count - known;
        low &= low >> step | high << (64 - step);
        high &= high >> step;
        known += step;
    }
    return low;
}

/// @brief Where in `low` a run of exactly `count` granules begins; 1 = free.
/// @param below  the word before `low`
/// @param high   the word behind it
/// @pre  1 <= count <= 63.
[[nodiscard]] constexpr bits::word exact_fits(bits::word below, bits::word low, bits::word high,
                                              std::size_t count) noexcept {
    const bits::word firsts = low & ~(low << 1 | below >> 63);
    const bits::word lasts_low = low & ~(low >> 1 | high << 63);
    const bits::word lasts_high = high & ~(high >> 1);
    const bits::word both = firsts & (lasts_low >> (count - 1) | lasts_high << 1 << (64 - count));
    return both == 0 ? 0 : both & fits(low, high, count); // the last may be another run's
}

/// @brief `Steps` counts the leaves that are looked at. Everything is O(1) in the granules.
template <class Steps>
class leaf_bits {
  public:
    static constexpr std::size_t none = ~std::size_t{0};
    static constexpr std::size_t words = 8;
    static constexpr std::size_t granules = words * 64;

    explicit leaf_bits(bits::word* map) noexcept : map_(map) {}

    [[nodiscard]] bits::word* map() const noexcept { return map_; }

    [[nodiscard]] bool busy(std::size_t i) const noexcept {
        return (map_[i / 64] >> i % 64 & 1) != 0;
    }

    /// @brief The lowest place in the leaf of p that is not below p and is in `find(word)`.
    template <class Find>
    [[nodiscard]] std::size_t lowest(std::size_t p, Find find) const noexcept {
        Steps::take();
        std::size_t word = p / 64;
        bits::word kept = ~bits::word{0} << p % 64;
        do {
            if (const bits::word found = find(word) & kept; found != 0)
                return word * 64 + static_cast<unsigned>(std::countr_zero(found));
            kept = ~bits::word{0};
        } while (++word % words != 0);
        return none;
    }

    /// @brief The lowest of them that has `count` free granules and is in `allowed(word)`.
    /// @pre  count <= 64.
    template <class Allowed>
    [[nodiscard]] std::size_t lowest_fit(std::size_t p, std::size_t count,
                                         Allowed allowed) const noexcept {
        return lowest(p, [&](std::size_t word) {
            return fits(~map_[word], ~map_[word + 1], count) & allowed(word);
        });
    }

    /// @brief The lowest of them where a run of exactly `count` granules begins.
    /// @pre  count <= 63.
    [[nodiscard]] std::size_t lowest_exact(std::size_t p, std::size_t count) const noexcept {
        return lowest(p, [&](std::size_t word) {
            const bits::word below = word == 0 ? 0 : ~map_[word - 1];
            return exact_fits(below, ~map_[word], ~map_[word + 1], count);
        });
    }

    /// @brief Where the free granules begin that the word ends with.
    [[nodiscard]] std::size_t last_begin(std::size_t word) const noexcept {
        return (word + 1) * 64 - static_cast<unsigned>(std::countl_zero(map_[word]));
    }

    /// @brief Where those begin, inside the leaf, that precede granule `word * 64`.
    [[nodiscard]] std::size_t begin_before(std::size_t leaf, std::size_t word) const noexcept {
        Steps::take();
        while (word != leaf * words && map_[word - 1] == 0)
            --word;
        return word == leaf * words ? leaf * granules : last_begin(word - 1);
    }

  private:
    bits::word* map_;
};

} // namespace palloc::inline v0::detail
