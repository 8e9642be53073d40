// SPDX-License-Identifier: MIT
/// @file
/// @brief Runs of bits in words that other threads change meanwhile: each word is read once, at a
/// moment of its own.
///
/// All are O(bits / 64) and read no word outside the run. `Word` is an atomic `bits::word`.
#pragma once

#include <palloc/core/bits.hpp>
#include <palloc/core/placement.hpp>

#include <bit>
#include <cstddef>

namespace palloc::inline v0::detail::atomic_bits {

/// @brief The first bit in [from, limit) that is set, or clear where `Set` is false; else `limit`.
template <bool Set, class Word>
[[nodiscard]] std::size_t find(const Word* map, std::size_t from, std::size_t limit) noexcept {
    if (from >= limit)
        return limit;
    constexpr bits::word flip = Set ? bits::word{0} : ~bits::word{0};
    std::size_t at = from / bits::word_bits;
    bits::word wanted = (map[at].load() ^ flip) & (~bits::word{0} << (from % bits::word_bits));
    for (const std::size_t end = bits::words(limit); wanted == 0;) {
        if (++at == end)
            return limit;
        wanted = map[at].load() ^ flip;
    }
    const std::size_t found =
        at * bits::word_bits + static_cast<std::size_t>(std::countr_zero(wanted));
    return found < limit ? found : limit;
}

/// @brief Where the clear bits that end before `end` begin, looking no further down than `floor`.
/// @pre  floor <= end.
template <class Word>
[[nodiscard]] std::size_t clear_from(const Word* map, std::size_t floor, std::size_t end) noexcept {
    while (end != floor) {
        const std::size_t at = (end - 1) / bits::word_bits;
        const bits::word set = map[at].load() & bits::low_mask((end - 1) % bits::word_bits + 1);
        const std::size_t begin =
            set == 0 ? at * bits::word_bits
                     : at * bits::word_bits + static_cast<std::size_t>(std::bit_width(set));
        if (begin <= floor)
            return floor;
        if (set != 0)
            return begin;
        end = begin;
    }
    return floor;
}

/// @brief Sets the bits of `mask`, if all of them are clear.
template <class Word>
bool take(Word& word, bits::word mask) noexcept {
    bits::word seen = word.load();
    do {
        if ((seen & mask) != 0)
            return false;
    } while (!word.compare_exchange_weak(seen, seen | mask));
    return true;
}

/// @brief Sets the bits of the run downwards, word by word, until one has a bit of it set already;
/// answers from where on they are taken, `run.first` if all are.
template <class Word>
[[nodiscard]] std::size_t take_down(Word* map, granule_run run) noexcept {
    const std::size_t first = run.first / bits::word_bits;
    std::size_t at = (run.last() - 1) / bits::word_bits;
    bits::word mask = bits::low_mask((run.last() - 1) % bits::word_bits + 1);
    std::size_t taken = run.last();
    for (; at != first; --at, mask = ~bits::word{0}) {
        if (!take(map[at], mask))
            return taken;
        taken = at * bits::word_bits;
    }
    return take(map[at], mask & (~bits::word{0} << (run.first % bits::word_bits))) ? run.first
                                                                                   : taken;
}

/// @brief Clears the bits of the run upwards; answers how many were clear already.
template <class Word>
std::size_t clear(Word* map, granule_run run) noexcept {
    std::size_t were_clear = 0;
    bits::each_word(run, [&](std::size_t at, bits::word mask) {
        were_clear += static_cast<std::size_t>(std::popcount(mask & ~map[at].fetch_and(~mask)));
        return true;
    });
    return were_clear;
}

} // namespace palloc::inline v0::detail::atomic_bits
