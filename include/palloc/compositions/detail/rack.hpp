// SPDX-License-Identifier: MIT
/// @file
/// @brief A stack of free blocks for every size class: what `magazine_rack` and `thread_cache` are
/// made of.
#pragma once

#include <palloc/compositions/detail/block_stack.hpp>
#include <palloc/compositions/size_class_grid.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief How much a rack of magazines keeps.
struct rack_options {
    std::uint64_t largest_bytes = 4096;   ///< blocks up to here are kept, at most
    std::size_t most_blocks = 31;         ///< so many of a class,
    std::uint64_t bytes_per_class = 4096; ///< and not more than this of it,
    std::size_t least_blocks = 6;         ///< but so many in any case
};

namespace detail {

/// @tparam Grid  the size classes.
template <rack_options Options, class Grid>
class rack {
    static constexpr std::size_t class_count = Grid::index(Options.largest_bytes) + 1;
    static_assert(2 <= Options.least_blocks && Options.least_blocks <= Options.most_blocks &&
                  Options.most_blocks < 256);

  public:
    /// @brief Whether requests like this one are served here: a matter of size and alignment alone,
    /// so that a block comes back to where it was handed out.
    [[nodiscard]] static constexpr bool serves(std::uint64_t bytes,
                                               std::uint64_t alignment) noexcept {
        return bytes - 1 < Options.largest_bytes && alignment - 1 < Grid::least_bytes &&
               is_power_of_two(alignment);
    }

    /// @pre  `serves(bytes, 1)`
    template <block_allocator Pool>
    [[nodiscard]] result<address> take(std::uint64_t bytes, Pool& pool) noexcept {
        return take_class(Grid::index(bytes), pool);
    }
    template <block_allocator Pool>
    [[nodiscard]] result<address> take_class(std::size_t i, Pool& pool) noexcept {
        return stacks_[i].take(pool, block(i), places[i]);
    }

    /// @pre  `serves(bytes, 1)`
    template <block_allocator Pool>
    result<void> put(address given, std::uint64_t bytes, Pool& pool) noexcept {
        return put_class(Grid::index(bytes), given, pool);
    }
    // Inlined, so that a result that nobody looks at is not made.
    template <block_allocator Pool>
    [[gnu::always_inline]] result<void> put_class(std::size_t i, address given,
                                                  Pool& pool) noexcept {
        return stacks_[i].put(given, pool, block(i), places[i]);
    }

    template <block_allocator Pool>
    void flush(Pool& pool) noexcept {
        for (std::size_t i = 0; i != class_count; ++i)
            stacks_[i].flush(pool, block(i));
    }

    /// @brief Forgets all blocks.
    void clear() noexcept {
        for (auto& each : stacks_)
            each.clear();
    }

    /// @brief Whether a request would be served without asking the pool.
    /// @pre  `serves(bytes, 1)`
    [[nodiscard]] bool has(std::uint64_t bytes) const noexcept {
        return stacks_[Grid::index(bytes)].size() != 0;
    }

    /// @brief Bytes of the blocks that are kept.
    [[nodiscard]] std::uint64_t kept_bytes() const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i != class_count; ++i)
            sum += stacks_[i].size() * Grid::bytes(i);
        return sum;
    }

    /// @brief What is asked of the pool for a request.
    /// @pre  `serves(bytes, 1)`
    [[nodiscard]] static constexpr layout rounded(std::uint64_t bytes) noexcept {
        return block(Grid::index(bytes));
    }

  private:
    [[nodiscard]] static constexpr layout block(std::size_t i) noexcept {
        return {Grid::bytes(i), Grid::least_bytes};
    }

    static constexpr auto places = [] {
        std::array<std::uint8_t, class_count> all{};
        for (std::size_t i = 0; i != class_count; ++i)
            all[i] = static_cast<std::uint8_t>(
                std::clamp(static_cast<std::size_t>(Options.bytes_per_class / Grid::bytes(i)),
                           Options.least_blocks, Options.most_blocks));
        return all;
    }();

    std::array<block_stack<Options.most_blocks>, class_count> stacks_;
};

} // namespace detail
} // namespace palloc::inline v0
