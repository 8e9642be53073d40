// SPDX-License-Identifier: MIT
/// @file
/// @brief What is in a pool, as ranges: chunks, free runs, live blocks, pages; and the pages of a
/// typed allocator's block (`page_range`).
///
/// All are lazy and hold nothing but references to the pool. A change of the pool ends what is
/// known of the part that it changes; over a concurrent bitmap an element is what was true when it
/// was read. Needs range-v3.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/kalloc/page_range.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <range/v3/range/concepts.hpp>
#include <range/v3/view/facade.hpp>
#include <range/v3/view/iota.hpp>
#include <range/v3/view/join.hpp>
#include <range/v3/view/reverse.hpp>
#include <range/v3/view/transform.hpp>

namespace palloc::inline v0::views {

namespace detail {

/// Runs of a bitmap, one after the other, as `Next` finds them: `Next{}(map, i)` is the first at or
/// behind i, of length 0 where there is none.
template <chunk_bitmap Bitmap, class Next>
class runs_view : public ranges::view_facade<runs_view<Bitmap, Next>> {
    friend ranges::range_access;

    class cursor {
      public:
        cursor() = default;
        explicit cursor(const Bitmap& map) noexcept : map_(&map), run_(Next{}(map, 0)) {}
        [[nodiscard]] granule_run read() const noexcept { return run_; }
        void next() noexcept { run_ = Next{}(*map_, run_.last()); }
        [[nodiscard]] bool equal(ranges::default_sentinel_t) const noexcept {
            return run_.count == 0;
        }
        [[nodiscard]] bool equal(const cursor& other) const noexcept { return run_ == other.run_; }

      private:
        const Bitmap* map_ = nullptr;
        granule_run run_{};
    };

    [[nodiscard]] cursor begin_cursor() const noexcept { return cursor(*map_); }

    const Bitmap* map_ = nullptr;

  public:
    runs_view() = default;
    explicit runs_view(const Bitmap& map) noexcept : map_(&map) {}
};

struct next_free {
    template <chunk_bitmap Bitmap>
    [[nodiscard]] granule_run operator()(const Bitmap& map, std::size_t i) const noexcept {
        return i < map.size() ? map.next_free_run(i) : granule_run{};
    }
};

struct next_block {
    template <bitmap_knows_blocks Bitmap>
    [[nodiscard]] granule_run operator()(const Bitmap& map, std::size_t i) const noexcept {
        while (i < map.size()) {
            if (const auto block = map.block_at(i))
                return *block;
            const granule_run free = map.next_free_run(i);
            i = free.first == i ? free.last() : i + 1;
        }
        return {};
    }
};

/// Granules of a chunk to addresses.
template <class Pool>
[[nodiscard]] auto to_bytes(const Pool& pool, const typename Pool::chunk& chunk) {
    return ranges::views::transform([&pool, base = chunk.where.base](granule_run run) {
        return range{base + pool.granule().offset(run.first), pool.granule().offset(run.count)};
    });
}

} // namespace detail

/// @brief The chunks of a pool, newest first, in the order in which they are searched.
template <class Pool>
[[nodiscard]] auto chunks(const Pool& pool) {
    return ranges::views::iota(std::size_t{0}, pool.chunk_count()) | ranges::views::reverse |
           ranges::views::transform(
               [&pool](std::size_t i) -> const typename Pool::chunk& { return pool.chunk_at(i); });
}

/// @brief The free runs of a chunk as ranges of addresses, ascending.
template <class Pool>
[[nodiscard]] auto free_runs(const Pool& pool, const typename Pool::chunk& chunk) {
    using bitmap = decltype(chunk.map);
    return detail::runs_view<bitmap, detail::next_free>(chunk.map) | detail::to_bytes(pool, chunk);
}

/// @brief The live blocks of a chunk as ranges of addresses, ascending, in whole granules.
template <class Pool>
    requires bitmap_knows_blocks<decltype(Pool::chunk::map)>
[[nodiscard]] auto live_blocks(const Pool& pool, const typename Pool::chunk& chunk) {
    using bitmap = decltype(chunk.map);
    return detail::runs_view<bitmap, detail::next_block>(chunk.map) | detail::to_bytes(pool, chunk);
}

/// @brief The free runs of all chunks, newest chunk first.
template <class Pool>
[[nodiscard]] auto free_runs(const Pool& pool) {
    return chunks(pool) |
           ranges::views::transform([&pool](const auto& chunk) { return free_runs(pool, chunk); }) |
           ranges::views::join;
}

/// @brief The live blocks of all chunks, newest chunk first.
template <class Pool>
    requires bitmap_knows_blocks<decltype(Pool::chunk::map)>
[[nodiscard]] auto live_blocks(const Pool& pool) {
    return chunks(pool) | ranges::views::transform([&pool](const auto& chunk) {
               return live_blocks(pool, chunk);
           }) |
           ranges::views::join;
}

/// @brief The pages that a block touches, ascending.
/// @pre  `page_bytes` is a power of two.
[[nodiscard]] inline auto pages(range block, std::uint64_t page_bytes) {
    const address first = align_down(block.base, page_bytes);
    const std::uint64_t reach = block.base - first + block.bytes;
    const std::uint64_t count =
        block.bytes == 0 ? 0 : reach / page_bytes + (reach % page_bytes != 0);
    return ranges::views::iota(std::uint64_t{0}, count) |
           ranges::views::transform([first, page_bytes](std::uint64_t i) {
               return range{first + i * page_bytes, page_bytes};
           });
}

} // namespace palloc::inline v0::views

/// @brief Pages of a block go through range-v3's views as they do through the standard's.
template <>
inline constexpr bool ranges::enable_view<palloc::page_range> = true;
