// SPDX-License-Identifier: MIT
/// @file
/// @brief Any pool for any number of threads: one at a time.
///
/// When to choose it: the pool is not on the hot path of several threads, or something in front of
/// it (`thread_cache`) calls it seldom. Costs: a lock and an unlock a call, about 18 ns for
/// `std::mutex` where nobody else wants it, ten times that where somebody does.
#pragma once

#include <palloc/compositions/detail/free_room.hpp>
#include <palloc/compositions/detail/many.hpp>
#include <palloc/compositions/detail/sizes.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pool_options.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief Makes every call of a pool under a lock.
/// @tparam Mutex  BasicLockable, and its functions do not throw where they are used rightly.
template <block_allocator Pool, class Mutex = std::mutex>
class locked {
  public:
    static constexpr bool is_concurrent = true;
    static constexpr bool is_touchable = pool_can_serve_containers<Pool>;

    /// @param parts  what the pool is made of.
    template <class... Parts>
    explicit locked(Parts&&... parts) : pool_(std::forward<Parts>(parts)...) {}
    locked(const locked&) = delete;
    locked& operator=(const locked&) = delete;

    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        const std::lock_guard alone(mutex_);
        return pool_.allocate(bytes, alignment);
    }
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        const std::lock_guard alone(mutex_);
        return pool_.deallocate(block, bytes, alignment);
    }

    [[nodiscard]] std::size_t allocate_many(std::uint64_t bytes, std::uint64_t alignment,
                                            std::span<address> room) noexcept {
        const std::lock_guard alone(mutex_);
        return detail::allocate_many(pool_, bytes, alignment, room);
    }
    void deallocate_many(std::span<const address> blocks, std::uint64_t bytes,
                         std::uint64_t alignment = 1) noexcept {
        const std::lock_guard alone(mutex_);
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
        const std::lock_guard alone(mutex_);
        return detail::resize(pool_, block, old_bytes, new_bytes, alignment);
    }
    /// @brief Why the request would fail now, see `pool::explain`.
    [[nodiscard]] explanation explain(layout wanted) noexcept
        requires detail::tells_sizes<Pool>
    {
        const std::lock_guard alone(mutex_);
        return detail::explain(pool_, wanted);
    }

    /// @brief Drops every live block at once; nobody may use one any more.
    void reset() noexcept
        requires requires(Pool& p) { p.reset(); }
    {
        const std::lock_guard alone(mutex_);
        pool_.reset();
    }

    [[nodiscard]] bool owns(address place) noexcept {
        const std::lock_guard alone(mutex_);
        return pool_.owns(place);
    }

    /// @brief Bytes that are free, the longest run of them, and 1 - that / all: of one moment each.
    [[nodiscard]] std::uint64_t free_bytes() const noexcept
        requires detail::tells_free_room<Pool>
    {
        const std::lock_guard alone(mutex_);
        return pool_.free_bytes();
    }
    [[nodiscard]] std::uint64_t largest_free_run_bytes() const noexcept
        requires detail::tells_free_room<Pool>
    {
        const std::lock_guard alone(mutex_);
        return pool_.largest_free_run_bytes();
    }
    [[nodiscard]] double fragmentation() const noexcept
        requires detail::tells_free_room<Pool>
    {
        const std::lock_guard alone(mutex_);
        return detail::fragmentation_of(pool_.largest_free_run_bytes(), pool_.free_bytes());
    }

    /// @brief What `f(pool)` answers, under the lock: for all other calls, and for several in one.
    template <std::invocable<Pool&> F>
    decltype(auto) with(F&& f) {
        const std::lock_guard alone(mutex_);
        return std::invoke(std::forward<F>(f), pool_);
    }

  private:
    mutable Mutex mutex_;
    Pool pool_;
};

} // namespace palloc::inline v0
