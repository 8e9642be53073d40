// SPDX-License-Identifier: MIT
/// @file
/// @brief A byte a granule that says whose it is, 64 of them on a cache line.
///
/// 0 is free; the highest bit of a byte is never set, so that eight bytes are looked at in one
/// addition without a carry between them. Whoever changes bytes changes the word of eight that they
/// are in, by compare-and-swap: a claim and the record of its claimant are one instruction.
#pragma once

#include <palloc/core/bits.hpp>
#include <palloc/core/placement.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::detail {

/// @brief Whose a granule is; below 128.
using owner_id = std::uint8_t;

/// @brief Eight granules.
namespace owner_word {

inline constexpr std::size_t granules = 8;
inline constexpr std::uint64_t each_byte = 0x0101010101010101;

/// @brief The bytes of a word that are not 0, as 0xff.
[[nodiscard]] constexpr std::uint64_t set_bytes(std::uint64_t value) noexcept {
    return ((value + 0x7f * each_byte) >> 7 & each_byte) * 0xff;
}
/// @brief The bytes that say `id`, as 0xff.
[[nodiscard]] constexpr std::uint64_t bytes_of(std::uint64_t value, owner_id id) noexcept {
    return ~set_bytes(value ^ id * each_byte);
}
/// @brief A bit for each byte that is not 0.
[[nodiscard]] constexpr std::uint64_t used(std::uint64_t value) noexcept {
    return ((value + 0x7f * each_byte) >> 7 & each_byte) * 0x0102040810204080 >> 56;
}
[[nodiscard]] constexpr std::size_t bytes_in(std::uint64_t mask) noexcept {
    return static_cast<std::size_t>(std::popcount(mask)) / 8;
}

/// @brief Replaces the bytes of `mask` that say `from` by `to`; answers how many.
template <class Word>
std::size_t replace(Word& word, std::uint64_t mask, owner_id from, owner_id to) noexcept {
    std::uint64_t seen = word.load();
    while (true) {
        const std::uint64_t mine = bytes_of(seen, from) & mask;
        if (mine == 0)
            return 0;
        if (word.compare_exchange_weak(seen, (seen & ~mine) | (to * each_byte & mine)))
            return bytes_in(mine);
    }
}

/// @brief Writes `id` into the bytes of `mask`, if all of them are 0.
template <class Word>
bool take(Word& word, std::uint64_t mask, owner_id id) noexcept {
    std::uint64_t seen = word.load();
    do {
        if ((seen & mask) != 0)
            return false;
    } while (!word.compare_exchange_weak(seen, seen | (id * each_byte & mask)));
    return true;
}

/// @brief The bytes of the granules [first, last) of a word; first < last <= 8.
[[nodiscard]] constexpr std::uint64_t mask(std::size_t first, std::size_t last) noexcept {
    return ~std::uint64_t{0} >> (64 - 8 * (last - first)) << 8 * first;
}

} // namespace owner_word

/// @brief 64 granules.
/// @tparam Atomic  `std::atomic`; a test's own can come between any two accesses.
template <template <class> class Atomic>
struct alignas(64) owner_line {
    using word = Atomic<std::uint64_t>;

    /// @brief Which of them are in use, a bit each; eight words are read, each at its own moment.
    [[nodiscard]] bits::word load() const noexcept {
        bits::word found = 0;
        for (std::size_t i = 0; i != 8; ++i)
            found |= owner_word::used(words[i].load()) << 8 * i;
        return found;
    }

    word words[8];
};

/// @brief Calls `f(word, mask)` for each word of eight that the run touches, in ascending order, as
/// long as it answers true. Answers whether it always did.
/// @pre  The run is not empty.
template <class Line, class F>
bool each_owner_word(Line* lines, granule_run run, F&& f) {
    for (std::size_t at = run.first; at < run.last();) {
        const std::size_t in_word = at % owner_word::granules;
        const std::size_t end = at - in_word + owner_word::granules;
        const std::size_t last = end < run.last() ? end : run.last();
        if (!f(lines[at / 64].words[at / 8 % 8], owner_word::mask(in_word, in_word + (last - at))))
            return false;
        at = last;
    }
    return true;
}

} // namespace palloc::inline v0::detail
