// SPDX-License-Identifier: MIT
/// @file
/// @brief The one pool template: granules, chunks, and the path of a request.
///
///     bytes, alignment, range, attributes -> granules -> the chunks, newest first, that admit it
///       -> the algorithm asks the bitmap for a place -> the bitmap claims it -> offset -> address
///
/// Nothing here dereferences managed memory or calls the operating system. Over a concurrent bitmap
/// every call but construction, destruction and `reset` may come from any thread, and all but those
/// that map from a signal handler; over any other bitmap, one thread at a time.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/granularity.hpp>
#include <palloc/concepts/observer.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/detail/pool_requests.hpp>
#include <palloc/pool_options.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief A pool of blocks over chunks of memory, composed from policies.
/// @tparam Granule     how bytes become granules
/// @tparam Backing     where chunks come from
/// @tparam Bitmap      how granules are tracked; decides whether threads may share the pool
/// @tparam Algorithm   which free run to take
/// @tparam Protection  what may be done to the memory
/// @tparam Observers   who is told
template <granularity Granule, backing_provider Backing, chunk_bitmap Bitmap,
          algorithm_for<Bitmap> Algorithm, protection_for<Backing> Protection,
          pool_observer... Observers>
    requires shared_bitmap_needs_algorithm_callable_as_const<Bitmap, Algorithm> &&
             shared_bitmap_needs_protection_without_area_state<Bitmap, Protection> &&
             shared_bitmap_needs_backing_that_commits_concurrently<Bitmap, Backing> &&
             (shared_bitmap_needs_concurrent_observer<Bitmap, Observers> && ...)
class pool : public detail::pool_requests<Granule, Backing, Bitmap, Protection, Observers...> {
    using base = detail::pool_requests<Granule, Backing, Bitmap, Protection, Observers...>;

  public:
    using base::is_concurrent;
    using typename base::attributes;
    using typename base::chunk;
    using typename base::request;

    /// @brief An empty pool; cannot fail, as there is no chunk yet.
    /// @param observers  all of them or, where each has a default, none.
    template <class... Given>
        requires std::constructible_from<std::tuple<Observers...>, Given...>
    explicit pool(const pool_options& options = {}, Granule granule = Granule(),
                  Backing backing = Backing(), Algorithm algorithm = Algorithm(),
                  Protection protection = Protection(), Given&&... observers)
        : base(options, std::move(granule), std::move(backing), std::move(protection),
               std::tuple<Observers...>(std::forward<Given>(observers)...)),
          algorithm_(std::move(algorithm)) {}

    /// @brief A block of `bytes` bytes at a multiple of `alignment`, from the newest chunk with
    /// room.
    /// @par Errors  `zero_size`, `bad_alignment`, `out_of_memory`, `is_protected` (every chunk is
    ///   closed to the request, and the pool cannot grow), those of growing. State unchanged.
    /// @par Complexity  a search in each chunk that is not full, plus O(granules / 64)
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        return allocate_with(request{.bytes = bytes, .alignment = alignment}, algorithm_);
    }
    [[nodiscard]] result<address> allocate(const request& wanted) noexcept {
        return allocate_with(wanted, algorithm_);
    }

    /// @brief The same by another algorithm.
    template <class Other>
        requires algorithm_for<std::remove_const_t<Other>, Bitmap> &&
                 shared_bitmap_needs_algorithm_callable_as_const<Bitmap, std::remove_const_t<Other>>
    [[nodiscard]] result<address> allocate_with(const request& wanted, Other& algorithm) noexcept {
        if (!is_valid(wanted)) [[unlikely]]
            return refuse(wanted, {wanted.bytes == 0 ? errc::zero_size : errc::bad_alignment});
        const std::size_t count = granule_.count(wanted.bytes);
        chunk* const newest = this->newest_open();
        error why{errc::out_of_memory};
        if (address got = 0; allocate_from(newest, wanted, count, algorithm, why, got)) [[likely]]
            return got;
        return allocate_elsewhere(newest, wanted, count, algorithm, why);
    }

    /// @brief Fills `blocks` from the front with what single calls would answer, as far as they
    /// succeed. Answers how many.
    [[nodiscard]] std::size_t allocate_many(std::uint64_t bytes, std::uint64_t alignment,
                                            std::span<address> blocks) noexcept {
        const request wanted{.bytes = bytes, .alignment = alignment};
        const std::size_t count = granule_.count(bytes);
        std::size_t done = 0;
        for (; is_valid(wanted) && done != blocks.size(); ++done) {
            chunk* const newest = this->newest_open();
            error why{errc::out_of_memory};
            if (allocate_from(newest, wanted, count, algorithm_, why, blocks[done])) [[likely]]
                continue;
            if (auto&& other = allocate_elsewhere(newest, wanted, count, algorithm_, why))
                blocks[done] = *other;
            else
                break;
        }
        return done;
    }

    /// @brief Makes a block longer, moving its pages elsewhere if it must: for want of room behind
    /// it, or to be at a multiple of `alignment`. Answers where it is. Granules are pages.
    /// @par Errors  those of `allocate` and of moving; the old block is as it was.
    [[nodiscard]] result<address> relocate(address block, std::uint64_t old_bytes,
                                           std::uint64_t new_bytes,
                                           std::uint64_t alignment = 1) noexcept
        requires backing_can_move_pages<Backing>
    {
        const bool may_stay = block % alignment == 0;
        const auto resized = this->resize(block, old_bytes, may_stay ? new_bytes : old_bytes);
        if (resized && may_stay)
            return block;
        if (!resized && resized.error().code != errc::no_room)
            return tl::unexpected(resized.error());
        const auto fresh = allocate(request{.bytes = new_bytes, .alignment = alignment});
        if (!fresh)
            return fresh;
        chunk& from = *table_.find(block);
        chunk& to = *table_.find(*fresh);
        const range pages{block, this->usable_bytes(old_bytes < new_bytes ? old_bytes : new_bytes)};
        const auto moved = backing_.move_pages(from.source, pages, to.source, *fresh);
        (void)(moved ? this->deallocate(block, old_bytes) : this->deallocate(*fresh, new_bytes));
        return moved.map([&]() noexcept { return *fresh; });
    }

    /// @brief Why `allocate` would refuse the request now, and by how much. What the system or a
    /// chunk that is not mapped yet will be like is not foreseen; a concurrent pool may change
    /// meanwhile.
    /// @par Complexity  a failing `allocate`, as often as the length in granules can be halved
    [[nodiscard]] explanation explain(const request& wanted) const noexcept {
        return this->explain_by(algorithm_, wanted);
    }

    [[nodiscard]] Algorithm& algorithm() noexcept { return algorithm_; }

  private:
    using base::ask;
    using base::backing_;
    using base::bytes_of;
    using base::granule_;
    using base::is_valid;
    using base::map_chunk;
    using base::notify;
    using base::options_;
    using base::protection_;
    using base::report;
    using base::shortage_of;
    using base::table_;
    using base::why_no_room;

    static constexpr int attempts_under_change = 64;

    template <class Other>
    [[nodiscard]] [[gnu::always_inline]] bool allocate_from(chunk* c, const request& wanted,
                                                            std::size_t count, Other& algorithm,
                                                            error& why, address& got) noexcept {
        if (c == nullptr) [[unlikely]]
            return false;
        const std::size_t position = take(*c, wanted, count, algorithm, why);
        if (position == detail::nowhere) [[unlikely]]
            return false;
        got = deliver(*c, position, count, wanted);
        return true;
    }

    /// Claims a place in one chunk; sets `why` where it is not room that is lacking.
    template <class Other>
    [[nodiscard]] [[gnu::always_inline]] std::size_t take(chunk& c, const request& wanted,
                                                          std::size_t count, Other& algorithm,
                                                          [[maybe_unused]] error& why) noexcept {
        placement q;
        if (!ask(c, wanted, count, q)) [[unlikely]]
            return detail::nowhere;
        const std::size_t position = claim(c, q, algorithm, why);
        if constexpr (backing_can_commit<Backing>)
            if (position != detail::nowhere) {
                const auto there = backing_.commit(c.source, bytes_of(c, {position, count}));
                if (!there) {
                    why = there.error();
                    c.map.release({position, count});
                    return detail::nowhere;
                }
            }
        return position;
    }

    template <class Other>
    [[nodiscard]] [[gnu::always_inline]] std::size_t
    claim(chunk& c, const placement& q, Other& algorithm, [[maybe_unused]] error& why) noexcept {
        if constexpr (algorithm_takes_lowest<Other> && bitmap_claims_lowest<Bitmap>) {
            const std::optional<std::size_t> found = c.map.claim_lowest(q);
            return found ? *found : detail::nowhere;
        } else {
            using asked = std::conditional_t<is_concurrent, const Other, Other>;
            for (int attempt = 0; attempt != attempts_under_change; ++attempt) {
                const std::optional<std::size_t> found =
                    static_cast<asked&>(algorithm)(std::as_const(c.map), q);
                if (!found)
                    return detail::nowhere;
                if (q.legal(*found) && c.map.claim({*found, q.count}))
                    return *found;
                if (!is_concurrent || !q.legal(*found)) { // nobody else can have taken it
                    why = report(errc::bad_placement, bytes_of(c, {*found, q.count})).value();
                    return detail::nowhere;
                }
            }
            return detail::nowhere;
        }
    }

    /// What is left to do when the newest chunk has no place for the request.
    template <class Other>
    [[nodiscard]] [[gnu::noinline]] result<address>
    allocate_elsewhere(chunk* newest, const request& wanted, std::size_t count, Other& algorithm,
                       error why) noexcept {
        const auto settled_before = this->settled();
        if (newest != nullptr) {
            this->close_if_full(*newest);
            if (address got = 0; walk(newest->index, wanted, count, algorithm, why, got))
                return got;
        }
        if constexpr (is_concurrent)
            if (why.code == errc::out_of_memory && wanted.may_map && this->drained_chunks() != 0)
                if (address got = 0; allocate_reopening(wanted, count, algorithm, why, got))
                    return got;
        if constexpr (backing_can_map<Backing>)
            if (why.code == errc::out_of_memory && wanted.may_map &&
                options_.growth.step_bytes != 0)
                return allocate_growing(wanted, count, algorithm);
        if constexpr (is_concurrent) { // "full" may only be said about a picture of one moment
            auto before = settled_before;
            for (int attempt = 0; attempt != attempts_under_change; ++attempt) {
                if (address got = 0; walk(table_.size(), wanted, count, algorithm, why, got))
                    return got;
                const auto after = this->settled();
                if (before && before == after)
                    break;
                before = after;
            }
        }
        return refuse(wanted, why);
    }

    /// The chunks older than number `below` that may have room, newest first, until something else
    /// than room is lacking.
    template <class Other>
    [[nodiscard]] bool walk(std::size_t below, const request& wanted, std::size_t count,
                            Other& algorithm, error& why, address& got) noexcept {
        for (chunk* c = table_.newest_open(below); c != nullptr && why.code == errc::out_of_memory;
             c = table_.newest_open(c->index)) {
            if (allocate_from(c, wanted, count, algorithm, why, got))
                return true;
            this->close_if_full(*c);
        }
        return false;
    }

    /// Rather than growing: chunks that were out of use.
    template <class Other>
    [[nodiscard]] bool allocate_reopening(const request& wanted, std::size_t count,
                                          Other& algorithm, error& why, address& got) noexcept {
        const auto lock = this->growth_lock();
        while (chunk* const again = this->reopen_drained(count))
            if (allocate_from(again, wanted, count, algorithm, why, got))
                return true;
        return false;
    }

    template <class Other>
    [[nodiscard]] result<address> allocate_growing(const request& wanted, std::size_t count,
                                                   Other& algorithm) noexcept {
        error why{errc::out_of_memory};
        const auto lock = this->growth_lock();
        if constexpr (is_concurrent) // somebody may have grown the pool meanwhile
            if (address got = 0; walk(table_.size(), wanted, count, algorithm, why, got))
                return got;
        const std::uint64_t needed = granule_.offset(count);
        if (needed < wanted.bytes)
            return refuse(wanted, {errc::too_large});
        std::size_t position = detail::nowhere;
        const auto grown = map_chunk(
            needed, this->next_step(), wanted.alignment, wanted.within, wanted.wished,
            [&](chunk& fresh) noexcept { position = take(fresh, wanted, count, algorithm, why); });
        if (!grown)
            return refuse(wanted, grown.error());
        if (position == detail::nowhere)
            return refuse(wanted, why);
        return deliver(**grown, position, count, wanted);
    }

    [[nodiscard]] address deliver(const chunk& c, std::size_t position, std::size_t count,
                                  const request& wanted) noexcept {
        const range block = bytes_of(c, {position, count});
        notify({.what = event::kind::allocate,
                .where = block,
                .asked = wanted.bytes,
                .alignment = wanted.alignment});
        return block.base;
    }

    [[nodiscard]] [[gnu::noinline]] result<address> refuse(const request& wanted,
                                                           error why) noexcept {
        if (why.code == errc::out_of_memory)
            why.code = why_no_room(wanted);
        if constexpr (sizeof...(Observers) != 0) {
            const bool for_lack_of_room =
                why.code == errc::out_of_memory || why.code == errc::over_limit;
            notify({.what = event::kind::fail,
                    .why = why.code,
                    .cause = for_lack_of_room ? shortage_of(wanted.bytes) : event::shortage::none,
                    .asked = wanted.bytes,
                    .alignment = wanted.alignment});
        }
        return tl::unexpected(why);
    }

    [[no_unique_address]] Algorithm algorithm_;
};

} // namespace palloc::inline v0
