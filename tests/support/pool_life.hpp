// SPDX-License-Identifier: MIT
/// @file
/// @brief A pool beside a list of what should be live in it. Every answer is checked: alignment,
/// place, overlap, contents, accounts; and so is every refusal.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>

#include "check.hpp"
#include "models/protections.hpp"
#include "pool_rig.hpp"
#include "random.hpp"
#include "rig_memory.hpp"

namespace palloc::test {

/// @brief What was asked for, and what its bytes hold.
struct live_block {
    std::uint64_t bytes;
    unsigned char mark;
    bool filled = false; ///< with the mark; not where no store is allowed
};
using live_blocks = std::map<address, live_block>;

/// @tparam Rig  a `pool_rig`.
template <class Rig>
class pool_life {
  public:
    using pool_type = typename Rig::pool_type;
    using request = typename pool_type::request;

    explicit pool_life(Rig& it) : it_(it), pool_(it.pool) {}
    pool_life(const pool_life&) = delete;
    pool_life& operator=(const pool_life&) = delete;
    ~pool_life() { free_all(); }

    [[nodiscard]] live_blocks& live() { return live_; }

    result<address> allocate(const request& wanted) {
        const std::uint64_t used = pool_.used_bytes();
        const bool foreseen = pool_.explain(wanted).possible();
        const auto got = pool_.allocate(wanted);
        if (got || got.error().code != errc::os_failure) // which nobody can foresee
            check(foreseen == got.has_value() || pool_.options().growth.step_bytes != 0);
        if (!got) {
            check(pool_.used_bytes() == used);
            if (pool_.options().growth.step_bytes == 0 && got.error().code != errc::os_failure) {
                const explanation told = pool_.explain(wanted);
                check(told.why == got.error().code);
                check(told.cause == event::shortage::none || told.missing_bytes != 0);
            }
            return got;
        }
        const range where{*got, pool_.usable_bytes(wanted.bytes)};
        check(where.bytes >= wanted.bytes);
        check(where.base % wanted.alignment == 0u);
        check(wanted.within.contains(where));
        check((pool_.owns(where.base) && pool_.owns(where.base + (where.bytes - 1))));
        const auto next = live_.lower_bound(where.base);
        if (next != live_.end())
            check(!where.overlaps(range_of(next)));
        if (next != live_.begin())
            check(!where.overlaps(range_of(std::prev(next))));
        check(pool_.used_bytes() == used + where.bytes);
        fill(live_.insert_or_assign(where.base, live_block{.bytes = wanted.bytes, .mark = ++mark_})
                 .first);
        return got;
    }

    void free(live_blocks::iterator at) {
        check_contents(at);
        const range where = range_of(at);
        const bool dead = keeps_dead(where.base);
        const std::uint64_t used = pool_.used_bytes();
        check(give_back(at).has_value());
        live_.erase(at);
        check(pool_.used_bytes() == used - (dead ? 0 : where.bytes));
        dead_bytes_ += dead ? where.bytes : 0;
    }
    void free(address base) { free(live_.find(base)); }
    void free_all() {
        while (!live_.empty())
            free(live_.begin());
    }

    result<void> resize(live_blocks::iterator at, std::uint64_t bytes) {
        const auto resized = pool_.resize(at->first, at->second.bytes, bytes);
        check_contents(at,
                       std::min(pool_.usable_bytes(at->second.bytes), pool_.usable_bytes(bytes)));
        if (resized) {
            at->second.bytes = bytes;
            fill(at);
        }
        return resized;
    }

    void reset() {
        pool_.reset();
        for (auto at = live_.begin(); at != live_.end(); at = live_.erase(at))
            dead_bytes_ += keeps_dead(at->first) ? range_of(at).bytes : 0;
    }

    /// @brief Something that a program might do. Blocks are mostly short.
    void step(random_source& random, std::uint64_t longest) {
        if (live_.empty() || random.chance(52)) {
            request wanted{.bytes =
                               random.between(1, random.chance(80) ? longest / 16 + 1 : longest)};
            if (random.chance(25))
                wanted.alignment = std::uint64_t{1} << random.below(13);
            if (random.chance(10))
                wanted.within = some_range(random);
            if (const auto wishes = attribute_models<typename Rig::protection_type>();
                random.chance(20))
                wanted.wished = wishes[random.below(wishes.size())];
            (void)allocate(wanted);
        } else if (random.chance(20)) {
            const auto resized = resize(some_block(random), random.between(1, longest / 8 + 1));
            check(resized || resized.error().code == errc::no_room ||
                  resized.error().code == errc::is_protected);
        } else if (random.chance(1)) {
            reset();
        } else {
            free(some_block(random));
        }
    }

    /// @brief All that the pool says about itself.
    void check_accounts() {
        std::uint64_t live = 0;
        for (auto at = live_.begin(); at != live_.end(); ++at)
            live += range_of(at).bytes;
        const std::uint64_t used = live + dead_bytes_;
        check(pool_.used_bytes() == used);
        check(pool_.free_bytes() + used == pool_.capacity_bytes());
        check(pool_.capacity_bytes() <= pool_.mapped_bytes());
        check(pool_.largest_free_run_bytes() <= pool_.free_bytes());
        check((pool_.largest_free_run_bytes() != 0) == (pool_.free_bytes() != 0));
        check((pool_.fragmentation() >= 0.0 && pool_.fragmentation() <= 1.0));
        it_.with_statistics([&](const auto& counted) {
            check(counted.live_bytes() == live);
            check(counted.live_blocks() == live_.size());
        });
        check(it_.mistakes.seen.empty());
        check(pool_.misuse_count() == 0u);
    }

    /// @brief Where pages have to be committed, those of the live blocks are, and no others.
    void check_commitment() {
        if constexpr (backing_can_commit<typename Rig::backing_type> &&
                      std::is_same_v<typename Rig::protection_type, unprotected>)
            check(space_of(it_.beneath)->committed_bytes() == pool_.used_bytes());
    }

  private:
    using iterator = live_blocks::iterator;

    [[nodiscard]] range range_of(live_blocks::const_iterator at) const {
        return {at->first, pool_.usable_bytes(at->second.bytes)};
    }
    [[nodiscard]] iterator some_block(random_source& random) {
        return std::next(live_.begin(), static_cast<std::ptrdiff_t>(random.below(live_.size())));
    }
    /// Most often some bytes of some chunk.
    [[nodiscard]] range some_range(random_source& random) const {
        range part{random.bits() >> random.below(64), random.bits() >> random.below(64)};
        part.bytes = std::min(part.bytes, ~part.base);
        std::size_t wanted = random.below(pool_.chunk_count() + 1);
        pool_.for_each_chunk([&](const auto& c) {
            if (wanted-- == 0)
                part = {c.where.base + random.below(c.where.bytes), random.below(c.where.bytes)};
        });
        return part;
    }
    [[nodiscard]] bool keeps_dead(address place) const {
        const auto* const chunk = pool_.find(place);
        return it_.pool.protection().on_release(chunk->state) == release_action::keep_dead;
    }
    [[nodiscard]] result<void> give_back(iterator at) {
        if constexpr (bitmap_knows_blocks<typename Rig::bitmap_type>)
            if (at->second.mark % 2 == 0)
                return pool_.deallocate(at->first);
        return pool_.deallocate(at->first, at->second.bytes);
    }

    [[nodiscard]] bool may_write(address place) const {
        return pool_type::is_touchable && pool_.achieved(place) == strength::none;
    }
    void fill(iterator at) {
        const range where = range_of(at);
        at->second.filled = may_write(where.base);
        if (at->second.filled)
            std::memset(reinterpret_cast<void*>(where.base), at->second.mark,
                        static_cast<std::size_t>(where.bytes));
        if (const fake_space* const space = space_of(it_.beneath);
            space != nullptr && pool_.achieved(where.base) == strength::none)
            check((!space->write_faults(where.base) &&
                   !space->write_faults(where.base + where.bytes - 1)));
    }
    void check_contents(iterator at) const { check_contents(at, range_of(at).bytes); }
    void check_contents(iterator at, std::uint64_t bytes) const {
        if (at->second.filled) {
            const auto* const first = reinterpret_cast<const unsigned char*>(at->first);
            check(std::all_of(first, first + bytes,
                              [&](unsigned char byte) { return byte == at->second.mark; }));
        }
    }

    Rig& it_;
    pool_type& pool_;
    live_blocks live_;
    std::uint64_t dead_bytes_ = 0;
    unsigned char mark_ = 0;
};

} // namespace palloc::test
