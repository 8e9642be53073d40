// SPDX-License-Identifier: MIT
/// @file
/// @brief Pools in the state of long use, whose blocks of mixed sizes are replaced one by one.
///
/// The pool is filled from the front, random blocks are freed down to the wished occupancy, then at
/// least 20,000 and five times as many pairs as there are blocks follow, so that the holes are
/// those of the algorithm. A pair is the allocation of a random size that succeeds, and random
/// blocks freed while more is held than wished. Where an allocation fails, one block is freed, and
/// neither is counted or timed.
///
/// The memory is borrowed and only its addresses exist: a pool of any size costs its metadata.
#pragma once

#include <palloc/algorithms/fixed.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "dice.hpp"

namespace palloc::bench::micro {

inline constexpr std::uint64_t granule_bytes = 64;
inline constexpr std::uint64_t largest_bytes = 4096;
inline constexpr address heap_base = std::uint64_t{1} << 40;

template <class Bitmap, class Algorithm, class... Observers>
using lent_pool =
    pool<static_granule<granule_bytes>, borrowed, Bitmap, Algorithm, unprotected, Observers...>;

struct block {
    address where;
    std::uint64_t bytes;

    [[nodiscard]] std::uint64_t held_bytes() const noexcept {
        return align_up(bytes, granule_bytes);
    }
};

/// @brief Live blocks in random order: the last one is a random one. So the memory access that
/// choosing one takes is paid when a block is inserted, outside of the time that is measured.
class live_blocks {
  public:
    live_blocks() {
        blocks_.reserve(4096 / sizeof(block));
    } // memory that no other thread's is near

    void insert(block fresh, dice& random) {
        blocks_.push_back(fresh);
        std::swap(blocks_.back(), blocks_[random.below(blocks_.size())]);
        held_bytes_ += fresh.held_bytes();
    }
    /// @pre  There is one.
    [[nodiscard]] block take() noexcept {
        const block last = blocks_.back();
        blocks_.pop_back();
        held_bytes_ -= last.held_bytes();
        return last;
    }
    [[nodiscard]] std::uint64_t held_bytes() const noexcept { return held_bytes_; }
    [[nodiscard]] const std::vector<block>& all() const noexcept { return blocks_; }

  private:
    std::vector<block> blocks_;
    std::uint64_t held_bytes_ = 0;
};

/// @brief For those who time from outside.
struct no_clock {
    static int now() noexcept { return 0; }
};

/// @brief Replaces the blocks of one thread in a pool. Threads share no line of it: neighbours are
/// fetched together.
template <class Pool>
class alignas(128) churn {
  public:
    churn(Pool& pool, std::uint64_t most_held_bytes, std::uint64_t seed)
        : pool_(&pool), most_held_bytes_(most_held_bytes), random_(seed) {}

    void adopt(block lent) { live_.insert(lent, random_); }

    /// @brief Allocates until the pool is full.
    void fill() {
        while (true) {
            const std::uint64_t bytes = next_bytes();
            const auto got = pool_->allocate(bytes);
            if (!got)
                return;
            live_.insert({*got, bytes}, random_);
        }
    }

    /// @brief Replaces blocks until the holes are the algorithm's own.
    void wear() {
        free_surplus();
        const std::size_t pairs = std::max<std::size_t>(20'000, 5 * live_.all().size());
        for (std::size_t i = 0; i != pairs; ++i)
            pair<no_clock>();
        pairs_ = failures_ = 0;
        held_bytes_sum_ = 0;
    }

    void free_all() noexcept {
        while (!live_.all().empty())
            free_one();
    }

    /// @brief One pair. Answers how long it took.
    template <class Clock>
    auto pair() {
        while (true) {
            const std::uint64_t bytes = next_bytes();
            const auto begin = Clock::now();
            const result<address> got = pool_->allocate(bytes);
            if (got) [[likely]]
                free_surplus();
            const auto end = Clock::now();
            if (got) [[likely]] {
                live_.insert({*got, bytes}, random_);
                ++pairs_;
                held_bytes_sum_ += static_cast<double>(live_.held_bytes());
                return end - begin;
            }
            ++failures_;
            if (!live_.all().empty())
                free_one();
        }
    }

    [[nodiscard]] const live_blocks& live() const noexcept { return live_; }
    /// @brief Held on average over the pairs.
    [[nodiscard]] double held_bytes() const noexcept {
        return held_bytes_sum_ / static_cast<double>(pairs_);
    }
    /// @brief Attempts that failed, of all.
    [[nodiscard]] double failure_share() const noexcept {
        return static_cast<double>(failures_) / static_cast<double>(pairs_ + failures_);
    }

  private:
    [[nodiscard]] std::uint64_t next_bytes() noexcept {
        return granule_bytes + random_.below(largest_bytes - granule_bytes + 1);
    }
    void free_one() noexcept {
        const block gone = live_.take();
        (void)pool_->deallocate(gone.where, gone.bytes);
    }
    void free_surplus() noexcept {
        while (live_.held_bytes() > most_held_bytes_)
            free_one();
    }

    Pool* pool_;
    std::uint64_t most_held_bytes_;
    dice random_;
    live_blocks live_;
    std::uint64_t pairs_ = 0;
    std::uint64_t failures_ = 0;
    double held_bytes_sum_ = 0;
};

template <class Pool>
void lend(Pool& pool, std::uint64_t bytes) {
    if (!pool.add({.where = {heap_base, bytes}}))
        throw std::runtime_error("the pool takes no chunk");
}

/// @brief Allocates a block where it is.
template <class Pool>
[[nodiscard]] result<address> allocate_at(Pool& pool, block wanted) {
    fixed there(wanted.where - heap_base);
    return pool.allocate_with({.bytes = wanted.bytes}, there);
}

[[nodiscard]] constexpr std::uint64_t share_of(std::uint64_t bytes, unsigned percent) noexcept {
    return bytes / 100 * percent;
}

/// @brief The blocks of a pool that the algorithm has worn. Made over `indexed`, which places as
/// every other bitmap does and makes it a matter of seconds; kept for the next who asks.
template <class Algorithm>
[[nodiscard]] const std::vector<block>& worn_blocks(std::uint64_t pool_bytes, unsigned percent) {
    static std::map<std::pair<std::uint64_t, unsigned>, std::vector<block>> known;
    auto& blocks = known[{pool_bytes, percent}];
    if (blocks.empty() && percent != 0) {
        lent_pool<indexed, Algorithm> pool;
        lend(pool, pool_bytes);
        churn heap(pool, share_of(pool_bytes, percent), 1);
        heap.fill();
        heap.wear();
        blocks = heap.live().all();
        heap.free_all();
    }
    return blocks;
}

/// @brief A worn pool, and the threads' shares of its blocks.
template <class Pool>
struct worn_heap {
    Pool pool;
    std::vector<churn<Pool>> shares;

    /// @brief Places the blocks where they are, whatever the pool's own algorithm.
    worn_heap(std::uint64_t pool_bytes, unsigned percent, const std::vector<block>& blocks,
              std::size_t threads = 1) {
        lend(pool, pool_bytes);
        for (std::size_t i = 0; i != threads; ++i)
            shares.emplace_back(pool, share_of(pool_bytes, percent) / threads, 2 + i);
        for (std::size_t i = 0; i != blocks.size(); ++i) {
            if (!allocate_at(pool, blocks[i]))
                throw std::runtime_error("a worn pool cannot be built again");
            shares[i % threads].adopt(blocks[i]);
        }
    }
    worn_heap(const worn_heap&) = delete;
    worn_heap& operator=(const worn_heap&) = delete;
    ~worn_heap() {
        for (auto& share : shares)
            share.free_all();
    }
};

} // namespace palloc::bench::micro
