// SPDX-License-Identifier: MIT
/// @file
/// @brief What a pool is asked, what of a chunk may serve it, and why it would be refused.
///
/// The part of the pool between its chunks and the path of a request. Not used by itself.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/observer.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/detail/alignment.hpp>
#include <palloc/detail/pool_returns.hpp>
#include <palloc/detail/vacant_map.hpp>
#include <palloc/pool_options.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace palloc::inline v0::detail {

template <granularity Granule, backing_provider Backing, chunk_bitmap Bitmap,
          protection_for<Backing> Protection, pool_observer... Observers>
class pool_requests : public pool_returns<Granule, Backing, Bitmap, Protection, Observers...> {
    using base = pool_returns<Granule, Backing, Bitmap, Protection, Observers...>;

  public:
    using base::is_concurrent;
    using typename base::attributes;
    using typename base::chunk;

    /// @brief What is asked for.
    struct request {
        std::uint64_t bytes = 0;
        std::uint64_t alignment = 1; ///< of the address; a power of two
        range within = anywhere;     ///< the block lies wholly inside
        bool may_map = true;         ///< may the pool grow for it? Say false in a signal handler.
        [[no_unique_address]] attributes wished{};
    };

  protected:
    using base::backing_;
    using base::base;
    using base::granule_;
    using base::options_;
    using base::protection_;
    using base::table_;

    ~pool_requests() = default;

    [[nodiscard]] static bool is_valid(const request& wanted) noexcept {
        return wanted.bytes != 0 && is_power_of_two(wanted.alignment);
    }

    /// Whether the chunk may hold the request at all; `q` is then what its bitmap is asked.
    [[nodiscard]] [[gnu::always_inline]] bool ask(const chunk& c, const request& wanted,
                                                  std::size_t count, placement& q) const noexcept {
        if (!protection_.admits(c.state, wanted.wished))
            return false;
        q.count = count;
        q.limit = c.map.size();
        q.base = c.where.base;
        q.granule_bytes = granule_.bytes();
        if (wanted.alignment > c.natural_alignment && !align(q, wanted.alignment))
            return false;
        return wanted.within == anywhere || restrict_to(q, wanted.within, granule_);
    }

    [[nodiscard]] event::shortage shortage_of(std::uint64_t bytes) const noexcept {
        return this->free_bytes() < bytes ? event::shortage::full : event::shortage::fragmented;
    }

    [[nodiscard]] errc why_no_room(const request& wanted) const noexcept {
        bool any_admits = table_.size() == 0;
        this->for_each_chunk([&](const chunk& c) {
            any_admits = any_admits || protection_.admits(c.state, wanted.wished);
        });
        return any_admits ? errc::out_of_memory : errc::is_protected;
    }

    /// Asks `algorithm` what `allocate` would ask it; one with state of its own in a copy.
    template <class Algorithm>
    [[nodiscard]] explanation explain_by(const Algorithm& algorithm,
                                         const request& wanted) const noexcept {
        explanation e{.free_bytes = this->free_bytes(),
                      .largest_run_bytes = this->largest_free_run_bytes(),
                      .cap_left_bytes = std::min(this->cap_left_bytes(), backing_left_bytes())};
        if (!is_valid(wanted)) {
            e.why = wanted.bytes == 0 ? errc::zero_size : errc::bad_alignment;
            return e;
        }
        const std::size_t count = granule_.count(wanted.bytes);
        e.needed_bytes = this->usable_bytes(wanted.bytes);
        const outlook here = look(algorithm, wanted, count);
        if (here == outlook::served)
            return e;
        if (here == outlook::misplaced) {
            e.why = errc::bad_placement;
            return e;
        }
        e.why = why_no_room(wanted);
        if constexpr (backing_can_map<Backing>)
            if (wanted.may_map && options_.growth.step_bytes != 0) {
                if (granule_.offset(count) < wanted.bytes)
                    e.why = errc::too_large;
                else if (is_over_cap(e.needed_bytes))
                    e.why = errc::over_limit;
                else if (fresh_chunk_serves(algorithm, wanted, count))
                    e.why = {};
            }
        if (e.possible() || e.why == errc::is_protected)
            return e;
        e.cause = shortage_of(e.needed_bytes);
        const std::uint64_t there = e.why == errc::over_limit || e.why == errc::too_large
                                        ? e.cap_left_bytes
                                    : e.cause == event::shortage::full
                                        ? e.free_bytes
                                        : granule_.offset(longest_served(algorithm, wanted, count));
        e.missing_bytes = e.needed_bytes > there ? e.needed_bytes - there : 0;
        return e;
    }

  private:
    enum class outlook : std::uint8_t {
        refused,
        served,
        misplaced, ///< the algorithm answers a place that is not free or not legal
    };

    /// What the algorithm answers; where it must not be asked, the lowest fit.
    template <class Algorithm, class Map>
    [[nodiscard]] static std::optional<std::size_t> answer(const Algorithm& algorithm,
                                                           const Map& map, const placement& q) {
        if constexpr (concurrent_algorithm_for<Algorithm, Map>)
            return algorithm(map, q);
        else if constexpr (algorithm_for<Algorithm, Map> &&
                           std::is_nothrow_copy_constructible_v<Algorithm>)
            return Algorithm(algorithm)(map, q);
        else
            return map.find_fit(q);
    }

    /// What the chunks that there are would answer to `count` granules.
    template <class Algorithm>
    [[nodiscard]] outlook look(const Algorithm& algorithm, const request& wanted,
                               std::size_t count) const noexcept {
        outlook seen = outlook::refused;
        this->for_each_chunk([&](const chunk& c) {
            placement q;
            if (seen != outlook::refused || !ask(c, wanted, count, q))
                return;
            if (c.drained.load(std::memory_order_relaxed)) { // would be put back to use, empty
                if (wanted.may_map && answer(algorithm, vacant_map(c.map.size()), q))
                    seen = outlook::served;
                return;
            }
            const std::optional<std::size_t> found = answer(algorithm, c.map, q);
            if (!found)
                return;
            placement only_there = q;
            only_there.from = *found;
            only_there.limit = q.legal(*found) ? *found + count : *found;
            seen = c.map.find_fit(only_there) ? outlook::served : outlook::misplaced;
        });
        return seen;
    }

    /// The most granules, fewer than `count`, that the same request would be served with.
    template <class Algorithm>
    [[nodiscard]] std::size_t longest_served(const Algorithm& algorithm, const request& wanted,
                                             std::size_t count) const noexcept {
        std::size_t longest = 0;
        while (count - longest > 1) {
            const std::size_t half = longest + (count - longest) / 2;
            (look(algorithm, wanted, half) == outlook::served ? longest : count) = half;
        }
        return longest;
    }

    /// Whether the chunk that the pool would grow by has a place. Its base is not known: it is
    /// taken for a multiple of whatever is asked.
    template <class Algorithm>
    [[nodiscard]] bool fresh_chunk_serves(const Algorithm& algorithm, const request& wanted,
                                          std::size_t count) const noexcept
        requires backing_can_map<Backing>
    {
        const std::uint64_t needed = granule_.offset(count);
        if (wanted.within.bytes < needed)
            return false;
        const std::uint64_t step = std::min(this->next_step(), this->cap_left_bytes());
        std::uint64_t bytes = pages_for(std::max(needed, step));
        if (bytes > backing_left_bytes())
            bytes = pages_for(needed);
        const std::size_t granules = granule_.index(bytes);
        const placement q{.count = count, .limit = granules, .granule_bytes = granule_.bytes()};
        return answer(algorithm, vacant_map(granules), q).has_value();
    }

    [[nodiscard]] bool is_over_cap(std::uint64_t bytes) const noexcept {
        return bytes > this->cap_left_bytes() || pages_for(bytes) > backing_left_bytes();
    }

    [[nodiscard]] std::uint64_t pages_for(std::uint64_t bytes) const noexcept {
        const std::uint64_t page = backing_.page_bytes();
        const std::uint64_t beyond = bytes % page;
        return beyond == 0 || bytes > ~std::uint64_t{0} - page ? bytes : bytes - beyond + page;
    }

    [[nodiscard]] std::uint64_t backing_left_bytes() const noexcept {
        if constexpr (backing_tells_what_is_left<Backing>)
            return backing_.left_bytes();
        else
            return ~std::uint64_t{0};
    }
};

} // namespace palloc::inline v0::detail
