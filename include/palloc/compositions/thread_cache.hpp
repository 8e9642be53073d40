// SPDX-License-Identifier: MIT
/// @file
/// @brief Magazines for every thread in front of a pool that all share.
///
/// When to choose it: several threads, and blocks of all sizes come and go in quick succession. A
/// pair that finds its block in a magazine costs about 15 ns, most of it an atomic exchange; the
/// shared pool is called for several blocks at a time. A block may be freed by any thread; it goes
/// to the magazines of the one that freed it. Costs: a rack of magazines for each stripe that was
/// ever used; see `magazine_rack.hpp`, also for what is said of misuse.
///
/// Threads are spread over stripes. One that finds its stripe occupied, by a thread that may even
/// be asleep, does not wait but asks the pool.
///
/// Source: J. Bonwick, J. Adams, "Magazines and Vmem", USENIX 2001.
#pragma once

#include <palloc/compositions/detail/free_room.hpp>
#include <palloc/compositions/detail/rack.hpp>
#include <palloc/compositions/detail/sizes.hpp>
#include <palloc/compositions/size_class_grid.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/metadata.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/thread_number.hpp>
#include <palloc/pool_options.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace palloc::inline v0 {

/// @tparam Stripes  threads that find magazines of their own; some times the processors.
template <concurrent_allocator Pool, rack_options Options = rack_options{},
          std::size_t Stripes = 16, class Grid = size_class_grid<>>
class thread_cache
    : public detail::room_behind_kept_blocks<thread_cache<Pool, Options, Stripes, Grid>, Pool> {
    using rack = detail::rack<Options, Grid>;

  public:
    static constexpr bool is_concurrent = true;
    static constexpr bool is_touchable = pool_can_serve_containers<Pool>;

    /// @param options  the pool's; the metadata provider is asked for the stripes too, by any
    /// thread
    ///   at any time.
    /// @param parts    what the pool is made of besides.
    template <class... Parts>
    explicit thread_cache(const pool_options& options, Parts&&... parts)
        : metadata_(options.metadata), pool_(options, std::forward<Parts>(parts)...) {}
    thread_cache(const thread_cache&) = delete;
    thread_cache& operator=(const thread_cache&) = delete;

    /// @pre  No other thread calls.
    ~thread_cache() {
        for (auto& each : stripes_)
            if (stripe* const mine = each.load(std::memory_order_relaxed)) {
                mine->free.flush(pool_);
                metadata_.give_back(reinterpret_cast<std::byte*>(mine), sizeof(stripe));
            }
    }

    /// @brief A block.
    /// @par Errors  the pool's
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        if (!rack::serves(bytes, alignment)) [[unlikely]]
            return pool_.allocate(bytes, alignment);
        const occupation mine(own_stripe());
        if (mine) [[likely]]
            return mine->take(bytes, pool_);
        const layout block = rack::rounded(bytes);
        return pool_.allocate(block.bytes, block.alignment);
    }

    /// @brief Gives a block back, of whichever thread; the same size and alignment.
    /// @par Errors  the pool's, but later
    result<void> deallocate(address given, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        if (!rack::serves(bytes, alignment) || !has_alignment(given, alignment)) [[unlikely]]
            return pool_.deallocate(given, bytes, alignment);
        const occupation mine(own_stripe());
        if (mine) [[likely]]
            return mine->put(given, bytes, pool_);
        const layout block = rack::rounded(bytes);
        return pool_.deallocate(given, block.bytes, block.alignment);
    }

    /// @brief Gives the blocks in all magazines back to the pool, but for those of stripes that
    /// other threads occupy at this moment.
    void flush() noexcept {
        for (auto& each : stripes_)
            if (const occupation there(each.load(std::memory_order_acquire)); there)
                there->flush(pool_);
    }

    /// @brief Bytes that a block asked for with these two may use.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes,
                                             std::uint64_t alignment = 1) const noexcept
        requires detail::tells_sizes<Pool>
    {
        const layout block =
            rack::serves(bytes, alignment) ? rack::rounded(bytes) : layout{bytes, alignment};
        return detail::usable_bytes(pool_, block.bytes, block.alignment);
    }

    /// @brief Makes a block longer or shorter where it is; it is given back with the new size.
    /// @par Errors  `no_room`: also where another class would serve the new size; those of the part
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes,
                        std::uint64_t alignment = 1) noexcept
        requires detail::tells_sizes<Pool>
    {
        const bool kept = rack::serves(old_bytes, alignment);
        if (new_bytes == 0 || kept != rack::serves(new_bytes, alignment))
            return detail::stays_unless(true, new_bytes);
        if (!kept)
            return detail::resize(pool_, block, old_bytes, new_bytes, alignment);
        return detail::stays_unless(
            rack::rounded(old_bytes).bytes != rack::rounded(new_bytes).bytes, new_bytes);
    }

    /// @brief Why the request would fail now, see `pool::explain`.
    [[nodiscard]] explanation explain(layout wanted) noexcept
        requires detail::tells_sizes<Pool>
    {
        if (!rack::serves(wanted.bytes, wanted.alignment))
            return detail::explain(pool_, wanted);
        const layout block = rack::rounded(wanted.bytes);
        const occupation mine(stripes_[thread_number() % Stripes].load(std::memory_order_acquire));
        if (mine && mine->has(wanted.bytes))
            return {.needed_bytes = block.bytes};
        return detail::explain(pool_, block);
    }

    /// @brief Drops every live block at once; no other thread calls, or uses one any more.
    void reset() noexcept
        requires requires(Pool& p) { p.reset(); }
    {
        for (auto& each : stripes_)
            if (stripe* const there = each.load(std::memory_order_acquire))
                there->free.clear();
        pool_.reset();
    }

    [[nodiscard]] bool owns(address place) noexcept { return pool_.owns(place); }
    /// @brief Bytes of the blocks in the magazines, but for those of stripes that other threads
    /// occupy at this moment; for the pool they are in use.
    [[nodiscard]] std::uint64_t kept_bytes() const noexcept {
        std::uint64_t sum = 0;
        for (const auto& each : stripes_)
            if (const occupation there(each.load(std::memory_order_acquire)); there)
                sum += there->kept_bytes();
        return sum;
    }
    [[nodiscard]] Pool& pool() noexcept { return pool_; }
    [[nodiscard]] const Pool& pool() const noexcept { return pool_; }

  private:
    struct alignas(storage_alignment) stripe {
        std::atomic_flag occupied;
        rack free;
    };

    /// Holds a stripe, unless there is none or somebody else holds it.
    class occupation {
      public:
        explicit occupation(stripe* wanted) noexcept
            : held_(wanted != nullptr && !wanted->occupied.test_and_set(std::memory_order_acquire)
                        ? wanted
                        : nullptr) {}
        ~occupation() {
            if (held_ != nullptr)
                held_->occupied.clear(std::memory_order_release);
        }
        occupation(const occupation&) = delete;
        occupation& operator=(const occupation&) = delete;

        explicit operator bool() const noexcept { return held_ != nullptr; }
        rack* operator->() const noexcept { return &held_->free; }

      private:
        stripe* held_;
    };

    [[nodiscard]] stripe* own_stripe() noexcept {
        std::atomic<stripe*>& mine = stripes_[thread_number() % Stripes];
        stripe* const there = mine.load(std::memory_order_acquire);
        return there != nullptr ? there : make_stripe(mine);
    }

    [[nodiscard]] [[gnu::noinline]] stripe* make_stripe(std::atomic<stripe*>& place) noexcept {
        const auto storage = metadata_.take(sizeof(stripe));
        if (!storage)
            return nullptr; // all goes to the pool then
        auto* const fresh = ::new (*storage) stripe;
        stripe* there = nullptr;
        if (place.compare_exchange_strong(there, fresh, std::memory_order_acq_rel))
            return fresh;
        metadata_.give_back(*storage, sizeof(stripe));
        return there;
    }

    std::array<std::atomic<stripe*>, Stripes> stripes_{};
    metadata_ref metadata_;
    Pool pool_;
};

} // namespace palloc::inline v0
