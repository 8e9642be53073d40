// SPDX-License-Identifier: MIT
/// @file
/// @brief Counts what a pool does: live and peak, how often, and why it failed.
///
/// When to choose it: always, unless every cycle counts. Costs: seven additions and comparisons a
/// block; 72 bytes. `concurrent_statistics` uses atomic additions: threads that hammer one pool
/// then share a cache line.
#pragma once

#include <palloc/concepts/observer.hpp>

#include <atomic>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief A number for one thread.
class plain_counter {
  public:
    /// @brief Adds, and answers the sum.
    std::uint64_t add(std::uint64_t amount) noexcept { return value_ += amount; }
    void raise_to(std::uint64_t least) noexcept { value_ = value_ < least ? least : value_; }
    /// @brief Sets to zero, and answers what it was.
    std::uint64_t clear() noexcept {
        const std::uint64_t old = value_;
        value_ = 0;
        return old;
    }
    [[nodiscard]] std::uint64_t get() const noexcept { return value_; }

  private:
    std::uint64_t value_ = 0;
};

/// @brief A number for any number of threads. Copying it takes a snapshot.
class atomic_counter {
  public:
    static constexpr bool is_concurrent = true;

    atomic_counter() noexcept = default;
    atomic_counter(const atomic_counter& other) noexcept : value_(other.get()) {}
    atomic_counter& operator=(const atomic_counter&) = delete;
    ~atomic_counter() = default;

    std::uint64_t add(std::uint64_t amount) noexcept {
        return value_.fetch_add(amount, std::memory_order_relaxed) + amount;
    }
    void raise_to(std::uint64_t least) noexcept {
        std::uint64_t now = get();
        while (now < least &&
               !value_.compare_exchange_weak(now, least, std::memory_order_relaxed)) {
        }
    }
    std::uint64_t clear() noexcept { return value_.exchange(0, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t get() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }

  private:
    std::atomic<std::uint64_t> value_ = 0;
};

/// @brief Sums over the life of a pool. Bytes are those of whole granules.
template <class Counter>
class basic_statistics {
  public:
    static constexpr bool is_concurrent = requires { requires Counter::is_concurrent; };

    [[nodiscard]] std::uint64_t live_bytes() const noexcept { return live_bytes_.get(); }
    [[nodiscard]] std::uint64_t live_blocks() const noexcept { return live_blocks_.get(); }
    [[nodiscard]] std::uint64_t peak_bytes() const noexcept { return peak_bytes_.get(); }
    [[nodiscard]] std::uint64_t peak_blocks() const noexcept { return peak_blocks_.get(); }
    /// @brief Blocks handed out.
    [[nodiscard]] std::uint64_t allocations() const noexcept { return allocations_.get(); }
    /// @brief Blocks given back, those dropped by a reset included.
    [[nodiscard]] std::uint64_t releases() const noexcept { return releases_.get(); }
    /// @brief Requests refused because fewer bytes were free than asked for.
    [[nodiscard]] std::uint64_t failures_full() const noexcept { return failures_full_.get(); }
    /// @brief Requests refused though enough bytes were free, in pieces.
    [[nodiscard]] std::uint64_t failures_fragmented() const noexcept {
        return failures_fragmented_.get();
    }
    /// @brief Requests refused for any other reason.
    [[nodiscard]] std::uint64_t failures_other() const noexcept { return failures_other_.get(); }

    /// @brief Takes note of an event.
    void on(const event& happened) noexcept {
        switch (happened.what) {
        case event::kind::allocate:
            allocations_.add(1);
            peak_blocks_.raise_to(live_blocks_.add(1));
            peak_bytes_.raise_to(live_bytes_.add(happened.where.bytes));
            break;
        case event::kind::release:
            releases_.add(1);
            live_blocks_.add(minus(1));
            live_bytes_.add(minus(happened.where.bytes));
            break;
        case event::kind::resize:
            peak_bytes_.raise_to(live_bytes_.add(happened.where.bytes - happened.asked));
            break;
        case event::kind::fail:
            failures(happened.cause).add(1);
            break;
        case event::kind::reset:
            releases_.add(live_blocks_.clear());
            live_bytes_.clear();
            break;
        case event::kind::add_chunk:
        case event::kind::remove_chunk:
        case event::kind::protect:
        case event::kind::discard:
        case event::kind::open_window:
            break;
        }
    }

  private:
    [[nodiscard]] static constexpr std::uint64_t minus(std::uint64_t amount) noexcept {
        return 0 - amount; // sums are modulo 2^64
    }

    [[nodiscard]] Counter& failures(event::shortage cause) noexcept {
        switch (cause) {
        case event::shortage::full:
            return failures_full_;
        case event::shortage::fragmented:
            return failures_fragmented_;
        case event::shortage::none:
            break;
        }
        return failures_other_;
    }

    Counter live_bytes_;
    Counter live_blocks_;
    Counter peak_bytes_;
    Counter peak_blocks_;
    Counter allocations_;
    Counter releases_;
    Counter failures_full_;
    Counter failures_fragmented_;
    Counter failures_other_;
};

using statistics = basic_statistics<plain_counter>;
using concurrent_statistics = basic_statistics<atomic_counter>;

static_assert(pool_observer<statistics> && !concurrent_observer<statistics>);
static_assert(concurrent_observer<concurrent_statistics>);

} // namespace palloc::inline v0
