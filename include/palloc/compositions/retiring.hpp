// SPDX-License-Identifier: MIT
/// @file
/// @brief A pool that any number of threads share, and that gives whole chunks back, addresses and
/// all, while they use it.
///
///     a call:  its stripe + 1 -> is somebody retiring? -> the pool -> its stripe - 1
///     retire:  drain -> say so -> is every stripe 0? -> chunks out of the table, unmapped
///
/// Calls of a lock-free pool hold references to chunks that nobody counts. Here each call is
/// counted, on a cache line that few threads share; a chunk goes at a moment when no call is under
/// way. Nobody is waited for: where some call is, the chunks stay drained, and serve again or go
/// the next time. A call that comes while chunks go waits for that.
///
/// When to choose it: a concurrent pool whose peaks are rare, on addresses that others need. Costs:
/// two atomic additions a call, about 10 ns; 1 KiB.
#pragma once

#include <palloc/compositions/detail/many.hpp>
#include <palloc/compositions/detail/sizes.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/spin_lock.hpp>
#include <palloc/core/thread_number.hpp>
#include <palloc/pool_options.hpp>

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <thread>
#include <utility>

namespace palloc::inline v0 {

/// @brief What `retiring` asks of its pool.
template <class P>
concept pool_retires_drained_chunks = concurrent_allocator<P> && requires(P& pool) {
    { pool.drain_empty_chunks(std::size_t{}) } noexcept -> std::same_as<std::uint64_t>;
    { pool.retire_drained_chunks() } noexcept -> std::same_as<std::uint64_t>;
};

/// @brief Counts the calls of a shared pool, so that its chunks can go between them.
/// @par Thread safety every call, `retire_empty_chunks` too. A signal handler may call it unless it
///   interrupts `retire_empty_chunks`. In a child that was forked while another thread was in that
///   call, the pool's chunks are half changed: every call answers `not_supported`. In one that was
///   forked while another thread was in any other call, no chunk goes any more.
template <pool_retires_drained_chunks Pool>
class retiring {
  public:
    static constexpr bool is_concurrent = true;
    static constexpr bool is_touchable = pool_can_serve_containers<Pool>;

    /// @param parts  what the pool is made of.
    template <class... Parts>
    explicit retiring(Parts&&... parts) : pool_(std::forward<Parts>(parts)...) {}
    retiring(const retiring&) = delete;
    retiring& operator=(const retiring&) = delete;

    /// @par Errors  the pool's
    /// @par Complexity  the pool's
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        const call here(*this);
        return here.may_go_on() ? pool_.allocate(bytes, alignment) : fail(errc::not_supported);
    }
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        const call here(*this);
        return here.may_go_on() ? pool_.deallocate(block, bytes, alignment)
                                : fail(errc::not_supported);
    }

    [[nodiscard]] std::size_t allocate_many(std::uint64_t bytes, std::uint64_t alignment,
                                            std::span<address> room) noexcept {
        const call here(*this);
        return here.may_go_on() ? detail::allocate_many(pool_, bytes, alignment, room) : 0;
    }
    void deallocate_many(std::span<const address> blocks, std::uint64_t bytes,
                         std::uint64_t alignment = 1) noexcept {
        if (const call here(*this); here.may_go_on())
            detail::deallocate_many(pool_, blocks, bytes, alignment);
    }

    /// @brief Bytes that a block asked for with these two may use.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes,
                                             std::uint64_t alignment = 1) const noexcept
        requires detail::tells_sizes<Pool>
    {
        return detail::usable_bytes(pool_, bytes, alignment);
    }
    /// @brief Makes a block longer or shorter where it is; it is given back with the new size.
    /// @par Errors  the pool's
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes,
                        std::uint64_t alignment = 1) noexcept
        requires detail::tells_sizes<Pool>
    {
        const call here(*this);
        return here.may_go_on() ? detail::resize(pool_, block, old_bytes, new_bytes, alignment)
                                : fail(errc::not_supported);
    }
    /// @brief Why the request would fail now, see `pool::explain`.
    [[nodiscard]] explanation explain(layout wanted) noexcept
        requires detail::tells_sizes<Pool>
    {
        const call here(*this);
        return here.may_go_on() ? detail::explain(pool_, wanted)
                                : explanation{.why = errc::not_supported};
    }

    [[nodiscard]] bool owns(address place) noexcept {
        const call here(*this);
        return here.may_go_on() && pool_.owns(place);
    }

    /// @brief What `f(pool)` answers, as one call: for everything else.
    /// @pre  not in a child that must not use it
    template <std::invocable<Pool&> F>
    decltype(auto) with(F&& f) {
        const call here(*this);
        return std::invoke(std::forward<F>(f), pool_);
    }

    /// @brief Takes chunks without live blocks out of use, all but `keep`, and gives back those
    /// that are out of use, unless some call is under way. Answers the bytes that went, addresses
    /// and all; `drained_chunks()` of the pool says what could not go yet.
    /// @par Complexity  O(chunks), O(granules / 64) for the drained ones; looks 1000 times whether
    ///   nobody is inside
    std::uint64_t retire_empty_chunks(std::size_t keep = 0) noexcept {
        std::uint64_t nobody = 0;
        with([keep](Pool& pool) { (void)pool.drain_empty_chunks(keep); });
        if (!retirer_.compare_exchange_strong(nobody, detail::this_process()))
            return 0;
        const std::uint64_t gone = is_idle() ? pool_.retire_drained_chunks() : 0;
        retirer_.store(0);
        return gone;
    }

  private:
    static constexpr std::size_t stripes = 16;

    struct alignas(64) stripe {
        std::atomic<std::uint64_t> calls{0};
    };

    /// A call that is under way. Its count and `retirer_` are accessed in one order by all: either
    /// the call sees that somebody retires, or is seen.
    class call {
      public:
        explicit call(retiring& mine) noexcept
            : calls_(mine.stripes_[thread_number() % stripes].calls) {
            calls_.fetch_add(1);
            if (mine.retirer_.load() != 0) [[unlikely]]
                may_go_on_ = wait(mine);
        }
        ~call() { calls_.fetch_sub(1, std::memory_order_release); }
        call(const call&) = delete;
        call& operator=(const call&) = delete;
        [[nodiscard]] bool may_go_on() const noexcept { return may_go_on_; }

      private:
        [[nodiscard]] [[gnu::noinline]] bool wait(const retiring& mine) noexcept {
            for (;;) {
                calls_.fetch_sub(1);
                std::uint64_t retirer = mine.retirer_.load();
                for (; retirer == detail::this_process(); retirer = mine.retirer_.load())
                    std::this_thread::yield();
                calls_.fetch_add(1);
                if (retirer != 0)
                    return false;
                if (mine.retirer_.load() == 0)
                    return true;
            }
        }

        std::atomic<std::uint64_t>& calls_;
        bool may_go_on_ = true;
    };

    [[nodiscard]] bool is_idle() const noexcept {
        for (int attempt = 0; attempt != 1000; ++attempt) {
            bool idle = true;
            for (const stripe& each : stripes_)
                idle = idle && each.calls.load() == 0;
            if (idle)
                return true;
        }
        return false;
    }

    Pool pool_;
    std::atomic<std::uint64_t> retirer_{0}; ///< the process of who retires; 0: nobody
    std::array<stripe, stripes> stripes_;
};

} // namespace palloc::inline v0
