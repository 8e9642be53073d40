// SPDX-License-Identifier: MIT
/// @file
/// @brief How a pool gives memory back while it is in use, and which chunks may have room.
///
/// The part of the pool between its blocks and the path of a request. Not used by itself.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
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

    /// @brief Gives the memory behind free granules back to the system, in whole pages; the
    /// granules stay free. The newest chunks, which serve first, keep `keep_bytes` of it. Answers
    /// the bytes given back, whether or not they were in memory.
    /// @param at_most_bytes  where to stop, so that a call takes bounded time
    /// @par Complexity  O(granules / 64) and a system call a free run. Over a concurrent bitmap at
    ///   most 2 MiB at a time are taken out of the reach of others meanwhile.
    std::uint64_t discard_free_pages(std::uint64_t keep_bytes = 0,
                                     std::uint64_t at_most_bytes = ~std::uint64_t{0}) noexcept
        requires backing_can_discard<Backing>
    {
        std::uint64_t given = 0;
        this->for_each_chunk([&](chunk& c) {
            if (!reusable(c))
                return;
            for (auto run = next_piece(c, 0); run.count != 0 && given < at_most_bytes;
                 run = next_piece(c, run.last())) {
                const std::uint64_t bytes = granule_.offset(run.count);
                if (keep_bytes >= bytes)
                    keep_bytes -= bytes;
                else
                    given += discard(c, run);
            }
        });
        return given;
    }

    /// @brief Takes chunks without live blocks out of use while others allocate, all but `keep` of
    /// them, and gives their memory back to the system. Their addresses stay the pool's, and serve
    /// again before it grows. Answers their bytes.
    /// @par Complexity  O(granules / 64)
    std::uint64_t drain_empty_chunks(std::size_t keep = 0) noexcept
        requires(is_concurrent)
    {
        const auto lock = this->growth_lock();
        std::uint64_t drained = 0;
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
                if (backing_.discard(c.source, c.where))
                    notify({.what = event::kind::discard, .where = c.where});
            drained += c.where.bytes;
        });
        return drained;
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

    /// The next free granules from `from` on that are worth a call, not too many where others wait.
    [[nodiscard]] granule_run next_piece(const chunk& c, std::size_t from) const noexcept {
        granule_run run = c.map.next_free_run(from);
        while (run.count != 0 && granule_.offset(run.count) < backing_.page_bytes())
            run = c.map.next_free_run(run.last());
        if constexpr (is_concurrent) {
            const std::uint64_t most = granule_.index(piece_bytes) + 1;
            run.count = run.count < most ? run.count : static_cast<std::size_t>(most);
        }
        return run;
    }

    [[nodiscard]] std::uint64_t discard(chunk& c, granule_run run) noexcept {
        if constexpr (is_concurrent)
            if (!c.map.claim(run))
                return 0;
        const range bytes = bytes_of(c, run);
        const bool given = backing_.discard(c.source, bytes).has_value();
        if (given)
            notify({.what = event::kind::discard, .where = bytes});
        if constexpr (is_concurrent) {
            (void)release(c, run);
            make_open(c);
        }
        return given ? bytes.bytes : 0;
    }
};

} // namespace palloc::inline v0::detail
