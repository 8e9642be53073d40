// SPDX-License-Identifier: MIT
/// @file
/// @brief Runs of bits in an array of 64-bit words: bit i is bit i % 64 of word i / 64.
///
/// All are O(bits / 64) and read no word outside the run.
#pragma once

#include <palloc/core/placement.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::bits {

using word = std::uint64_t;
inline constexpr std::size_t word_bits = 64;

/// @brief Words that hold n bits.
[[nodiscard]] constexpr std::size_t words(std::size_t n) noexcept {
    return n / word_bits + (n % word_bits != 0);
}

/// @brief The lowest `n` bits of a word, 1 <= n <= 64; unspecified, but defined, for other n.
[[nodiscard]] constexpr word low_mask(std::size_t n) noexcept {
    return ~word{0} >> ((word_bits - n) % word_bits);
}

/// @brief Calls `f(word index, mask)` for each word that the run touches, in ascending order, as
/// long as it answers true. Answers whether it always did.
/// @pre  The run is not empty.
template <class F>
constexpr bool each_word(granule_run run, F&& f) {
    const std::size_t last = run.last() - 1;
    std::size_t at = run.first / word_bits;
    word mask = ~word{0} << (run.first % word_bits);
    for (; at != last / word_bits; ++at, mask = ~word{0})
        if (!f(at, mask))
            return false;
    return f(at, mask & low_mask(last % word_bits + 1));
}

/// @brief The first bit in [from, limit) that is set, or clear where `Set` is false; else `limit`.
template <bool Set>
[[nodiscard]] constexpr std::size_t find(const word* map, std::size_t from,
                                         std::size_t limit) noexcept {
    if (from >= limit)
        return limit;
    constexpr word flip = Set ? word{0} : ~word{0};
    std::size_t at = from / word_bits;
    word wanted = (map[at] ^ flip) & (~word{0} << (from % word_bits));
    for (const std::size_t end = words(limit); wanted == 0;) {
        if (++at == end)
            return limit;
        wanted = map[at] ^ flip;
    }
    const std::size_t found = at * word_bits + static_cast<std::size_t>(std::countr_zero(wanted));
    return found < limit ? found : limit;
}

/// @brief How many bits of the run are set.
[[nodiscard]] constexpr std::size_t count(const word* map, granule_run run) noexcept {
    std::size_t sum = 0;
    each_word(run, [&](std::size_t at, word mask) {
        sum += static_cast<std::size_t>(std::popcount(map[at] & mask));
        return true;
    });
    return sum;
}

/// @brief Sets every bit of the run.
constexpr void set(word* map, granule_run run) noexcept {
    each_word(run, [&](std::size_t at, word mask) {
        map[at] |= mask;
        return true;
    });
}

/// @brief Clears every bit of the run.
constexpr void clear(word* map, granule_run run) noexcept {
    each_word(run, [&](std::size_t at, word mask) {
        map[at] &= ~mask;
        return true;
    });
}

} // namespace palloc::inline v0::bits
