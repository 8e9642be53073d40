// SPDX-License-Identifier: MIT
/// @file
/// @brief Any allocator beside a list of what should be live in it: alignment, overlap, ownership
/// and contents are checked at each step.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>

#include "check.hpp"
#include "random.hpp"

namespace palloc::test {

/// @brief Sizes and alignments as programs ask for them: mostly small, some large, some aligned.
struct demand {
    std::uint64_t longest = 4096;
    std::uint64_t largest_alignment = 256;

    [[nodiscard]] layout draw(random_source& random) const {
        const std::uint64_t bytes =
            random.between(1, random.chance(80) ? longest / 16 + 1 : longest);
        std::uint64_t alignment = 1;
        if (random.chance(30))
            while (alignment < largest_alignment && random.chance(80))
                alignment *= 2;
        return {bytes, alignment};
    }
};

template <block_allocator Pool>
class allocator_life {
  public:
    struct block {
        layout asked;
        unsigned char mark;
    };

    explicit allocator_life(Pool& pool) : pool_(pool) {}
    allocator_life(const allocator_life&) = delete;
    allocator_life& operator=(const allocator_life&) = delete;
    ~allocator_life() { free_all(); }

    [[nodiscard]] const std::map<address, block>& live() const { return live_; }

    result<address> allocate(layout wanted) {
        const auto got = pool_.allocate(wanted.bytes, wanted.alignment);
        if (got)
            adopt(*got, wanted);
        return got;
    }

    /// @brief Takes over a block, of another thread for example, as if it were just allocated.
    void adopt(address base, layout asked) {
        check(base % asked.alignment == 0);
        check(pool_.owns(base) && pool_.owns(base + asked.bytes - 1));
        const range where{base, asked.bytes};
        const auto next = live_.lower_bound(base);
        check(next == live_.end() || !where.overlaps(range_of(next)));
        check(next == live_.begin() || !where.overlaps(range_of(std::prev(next))));
        const auto at = live_.emplace(base, block{asked, ++mark_}).first;
        if constexpr (touchable_allocator<Pool>)
            std::memset(reinterpret_cast<void*>(base), at->second.mark,
                        static_cast<std::size_t>(asked.bytes));
    }

    /// @brief Lets go of a block without giving it back.
    layout abandon(address base) {
        const auto at = live_.find(base);
        const layout asked = at->second.asked;
        check_contents(at);
        live_.erase(at);
        return asked;
    }

    void free(address base) {
        const layout asked = abandon(base);
        check(pool_.deallocate(base, asked.bytes, asked.alignment).has_value());
    }
    void free_all() {
        while (!live_.empty())
            free(live_.begin()->first);
    }

    [[nodiscard]] address some_block(random_source& random) const {
        return std::next(live_.begin(), static_cast<std::ptrdiff_t>(random.below(live_.size())))
            ->first;
    }

    /// @brief Something that a program might do; tends to `blocks` live ones.
    void step(random_source& random, const demand& wanted, std::size_t blocks) {
        if (live_.empty() || random.below(2 * blocks) >= live_.size())
            (void)allocate(wanted.draw(random));
        else
            free(some_block(random));
    }

  private:
    using iterator = typename std::map<address, block>::const_iterator;

    [[nodiscard]] static range range_of(iterator at) { return {at->first, at->second.asked.bytes}; }

    void check_contents(iterator at) const {
        if constexpr (touchable_allocator<Pool>) {
            const auto* const first = reinterpret_cast<const unsigned char*>(at->first);
            check(std::all_of(first, first + at->second.asked.bytes,
                              [&](unsigned char byte) { return byte == at->second.mark; }));
        }
    }

    Pool& pool_;
    std::map<address, block> live_;
    unsigned char mark_ = 0;
};

/// @brief Random life for `steps` steps, then an end in which all is given back.
template <block_allocator Pool>
void live_through(Pool& pool, std::size_t steps, const demand& wanted = {},
                  std::size_t blocks = 300) {
    random_source random;
    BOOST_TEST_CONTEXT(random) {
        allocator_life life(pool);
        for (std::size_t i = 0; i != steps; ++i)
            life.step(random, wanted, blocks);
    }
}

} // namespace palloc::test
