// SPDX-License-Identifier: MIT
/// @file
/// @brief How a pool gives memory back while it is in use, and which chunks may have room.
///
/// The part of the pool between its blocks and the path of a request. Not used by itself.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/detail/pool_blocks.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::detail {

template <granularity Granule, backing_provider Backing, chunk_bitmap Bitmap,
          protection_for<Backing> Protection, pool_observer... Observers>
class pool_returns : public pool_blocks<Granule, Backing, Bitmap, Protection, Observers...> {
    using base = pool_blocks<Granule, Backing, Bitmap, Protection, Observers...>;

  public:
    using base::is_concurrent;
    using typename base::chunk;

    /// @brief Gives the memory behind free granules back to the system, in whole pages, large ones
    /// where a chunk has them; the granules stay free. The newest chunks, which serve first, keep
    /// `keep_bytes` of it. Answers the bytes of those pages, whether or not they were in memory.
    /// @param at_most_bytes  where to stop, so that a call takes bounded time
    /// @par Complexity  O(granules / 64) and a system call a free run. Over a concurrent bitmap at
    ///   most 2 MiB at a time, or a page, are taken out of the reach of others meanwhile.
    std::uint64_t discard_free_pages(std::uint64_t keep_bytes = 0,
                                     std::uint64_t at_most_bytes = ~std::uint64_t{0}) noexcept
        requires backing_can_discard<Backing>
    {
        std::uint64_t given = 0;
        this->for_each_chunk([&](chunk& c) {
            if (!reusable(c))
                return;
            for (range piece = next_piece(c, c.where.base);
                 piece.bytes != 0 && given < at_most_bytes;
                 piece = next_piece(c, piece.base + piece.bytes)) {
                if (keep_bytes >= piece.bytes)
                    keep_bytes -= piece.bytes;
                else
                    given += discard(c, piece);
            }
        });
        return given;
    }

    /// @brief Takes chunks without live blocks out of use while others allocate, all but `keep` of
    /// them, and gives their memory back to the system. Their addresses stay the pool's, and serve
    /// again before it grows. Answers the bytes that went back: none of a chunk whose memory the
    /// backing cannot discard, or whose discard the system refused, though it is drained.
    /// @par Complexity  O(granules / 64)
    std::uint64_t drain_empty_chunks(std::size_t keep = 0) noexcept
        requires(is_concurrent)
    {
        const auto lock = this->growth_lock();
        std::uint64_t given = 0;
        this->for_each_chunk([&](chunk& c) {
            if (c.drained.load(std::memory_order_relaxed) || !base::is_empty(c))
                return;
            if (keep != 0) {
                --keep;
                return;
            }
            if (!c.map.claim({0, c.map.size()})) // somebody was faster
                return;
            c.drained.store(true, std::memory_order_relaxed);
            ++drained_chunks_;
            if constexpr (backing_can_discard<Backing>)
                if (backing_.discard(c.source, c.where)) {
                    notify({.what = event::kind::discard, .where = c.where});
                    given += c.where.bytes;
                }
        });
        return given;
    }

    /// @brief Removes the chunks that are drained. Alone: no other thread or signal handler is in a
    /// call to the pool, or comes with an address of theirs later. Answers the bytes given back.
    /// @par Complexity  O(chunks)
    std::uint64_t retire_drained_chunks() noexcept
        requires(is_concurrent)
    {
        return this->remove_chunks([this](const chunk& c) {
            if (!c.drained.load(std::memory_order_relaxed) || c.map.free_count() != 0)
                return false;
            --drained_chunks_;
            return true;
        });
    }

  protected:
    using base::backing_;
    using base::base;
    using base::bytes_of;
    using base::drained_chunks_;
    using base::front_;
    using base::granule_;
    using base::make_open;
    using base::notify;
    using base::release;
    using base::reusable;
    using base::table_;

    ~pool_returns() = default;

    [[nodiscard]] chunk* newest_open() const noexcept {
        if constexpr (is_concurrent)
            return table_.newest_open(table_.size());
        else
            return front_;
    }

    void close_if_full(chunk& c) noexcept {
        if constexpr (bitmap_is_shared_by_processes<Bitmap>)
            return; // nobody here would hear that there is room again
        if (c.map.free_count() != 0)
            return;
        table_.close(c);
        if constexpr (!is_concurrent)
            front_ = table_.newest_open(table_.size());
        else if (c.map.free_count() != 0)
            table_.open(c);
    }

    /// Puts a drained chunk of at least so many granules back to use, if there is one.
    [[nodiscard]] chunk* reopen_drained(std::size_t granules) noexcept {
        for (std::size_t i = table_.size(); i-- != 0;) {
            chunk& c = table_[i];
            if (!c.drained.load(std::memory_order_relaxed) || c.map.size() < granules)
                continue;
            c.drained.store(false, std::memory_order_relaxed);
            --drained_chunks_;
            (void)release(c, {0, c.map.size()});
            make_open(c);
            return &c;
        }
        return nullptr;
    }

  private:
    static constexpr std::uint64_t piece_bytes = std::uint64_t{2} << 20;

    /// What the backing gives back at a time.
    [[nodiscard]] std::uint64_t page_bytes_of(const chunk& c) const noexcept {
        if constexpr (backing_tells_page_sizes<Backing>)
            return backing_.page_bytes(c.source);
        else
            return backing_.page_bytes();
    }

    /// The next whole pages from `from` on that are free, not too many where others wait.
    [[nodiscard]] range next_piece(const chunk& c, address from) const noexcept {
        const std::uint64_t page = page_bytes_of(c);
        for (granule_run run = c.map.next_free_run(granule_.index(from - c.where.base));
             run.count != 0; run = c.map.next_free_run(run.last())) {
            const range bytes = bytes_of(c, run);
            // Behind the last granule there may be less than one, which is nobody's.
            const address end = run.last() == c.map.size() ? c.where.base + c.where.bytes
                                                           : bytes.base + bytes.bytes;
            const address first = align_up(bytes.base > from ? bytes.base : from, page);
            const address last = align_down(end, page);
            if (last <= first)
                continue;
            const std::uint64_t most = is_concurrent ? align_up(piece_bytes, page) : last - first;
            return {first, most < last - first ? most : last - first};
        }
        return {};
    }

    /// The granules that have a byte in `pages`.
    [[nodiscard]] granule_run granules_of(const chunk& c, range pages) const noexcept {
        const std::size_t first = granule_.index(pages.base - c.where.base);
        const std::size_t last = granule_.index(pages.base + pages.bytes - 1 - c.where.base);
        return {first, (last < c.map.size() ? last + 1 : last) - first};
    }

    [[nodiscard]] std::uint64_t discard(chunk& c, range pages) noexcept {
        [[maybe_unused]] const granule_run run = granules_of(c, pages);
        if constexpr (is_concurrent)
            if (!c.map.claim(run))
                return 0;
        const bool given = backing_.discard(c.source, pages).has_value();
        if (given)
            notify({.what = event::kind::discard, .where = pages});
        if constexpr (is_concurrent) {
            (void)release(c, run);
            make_open(c);
        }
        return given ? pages.bytes : 0;
    }
};

} // namespace palloc::inline v0::detail
