// SPDX-License-Identifier: MIT
/// @file
/// @brief The pool behind a pmalloc pool, and its books: what is kept where, and how it is reached.
///
///     pages of the books: [guarded_metadata][basic_pmalloc: the pool, its policies][name] then
///                         chunk records, tables, bitmaps; read-only once anything is protected
///     ordinary memory:    the counters, which decide nothing, and the place in the list of pools,
///                         which is sealed by a key: what it says is compared before it is used
///
/// Not used by itself.
#pragma once

#include <palloc/algorithms/first_fit.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/os_codes.hpp>
#include <palloc/core/range.hpp>
#include <palloc/granularities/order_granule.hpp>
#include <palloc/metadata/guarded_metadata.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/pmalloc/any_pmalloc.hpp>
#include <palloc/pmalloc/options.hpp>
#include <palloc/pool.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Counts in memory that is always writable.
struct counts_elsewhere {
    concurrent_statistics* counts;
    void on(const event& happened) noexcept { counts->on(happened); }
};

/// @brief What a pool keeps outside its books.
struct pmalloc_public {
    pmalloc_public(any_pmalloc& pool, std::string_view name) noexcept
        : entry(pool, nullptr, name) {}

    registry<any_pmalloc, sealed_by_key>::listing entry;
    concurrent_statistics counts;
    atomic_counter dead_bytes;
    atomic_counter dead_blocks;
    atomic_counter misuses;
};

template <class Protection, backing_can_map Backing, chunk_bitmap Bitmap>
class pmalloc_core : public any_pmalloc {
  public:
    using pool_type = pool<order_granule, Backing, Bitmap, first_fit, Protection, counts_elsewhere>;
    using area = typename pool_type::chunk;

    static constexpr bool is_touchable = memory_may_be_touched<Backing>;

    // ---------------------------------------------------------------- queries

    [[nodiscard]] std::string_view name() const noexcept final { return name_; }
    [[nodiscard]] bool owns(address place) const noexcept final {
        return pool_.peek(place) != nullptr;
    }
    [[nodiscard]] ownership owns(range part) const noexcept final {
        if (const area* const a = pool_.peek(part.base))
            return a->where.contains(part) ? ownership::yes : ownership::straddles;
        bool touched = false;
        pool_.for_each_chunk([&](const area& a) { touched = touched || a.where.overlaps(part); });
        return touched ? ownership::straddles : ownership::no;
    }
    [[nodiscard]] std::optional<pmalloc_place> locate(address place) const noexcept final {
        std::uint64_t blocks = 0;
        for (std::size_t i = 0; i != pool_.chunk_count(); ++i) {
            const area& a = pool_.chunk_at(i);
            if (!a.where.contains(place)) {
                blocks += blocks_before(a, a.map.size());
                continue;
            }
            pmalloc_place found{
                .pool = name_, .achieved = pool_.achieved_in(a), .offset = place - a.where.base};
            if (const auto block = a.map.block_at(pool_.granule().index(found.offset))) {
                found.block = blocks + blocks_before(a, block->first);
                found.offset -= pool_.granule().offset(block->first);
                found.block_bytes = pool_.granule().offset(block->count);
            }
            return found;
        }
        return std::nullopt;
    }

    /// @brief Where the pool stands. O(areas).
    [[nodiscard]] pmalloc_state state() const noexcept {
        if (interrupted_)
            return pmalloc_state::interrupted;
        bool any_open = false;
        bool any_closed = has_closed_;
        pool_.for_each_chunk([&](const area& a) {
            const bool closed = pool_.achieved_in(a) != strength::none;
            any_open = any_open || !closed;
            any_closed = any_closed || closed;
        });
        if (!any_closed)
            return pmalloc_state::open;
        return any_open ? pmalloc_state::growing : pmalloc_state::is_protected;
    }
    /// @brief What holds for all areas: the weakest of what each achieved; `none` without areas.
    [[nodiscard]] strength achieved() const noexcept {
        strength weakest = strength::write_xor_execute;
        pool_.for_each_chunk(
            [&](const area& a) { weakest = std::min(weakest, pool_.achieved_in(a)); });
        return weakest == strength::write_xor_execute ? strength::none : weakest;
    }
    /// @brief What holds for the area that the byte lies in.
    [[nodiscard]] strength achieved(address place) const noexcept {
        const area* const a = pool_.peek(place);
        return a == nullptr ? strength::none : pool_.achieved_in(*a);
    }
    /// @brief Whether the books are out of reach as well.
    [[nodiscard]] bool books_are_closed() const noexcept { return books_closed_; }

    [[nodiscard]] pmalloc_statistics statistics() const noexcept {
        return {.allocated_bytes = public_.counts.live_bytes(),
                .allocated_blocks = public_.counts.live_blocks(),
                .peak_bytes = public_.counts.peak_bytes(),
                .dead_bytes = public_.dead_bytes.get(),
                .dead_blocks = public_.dead_blocks.get(),
                .mapped_bytes = pool_.mapped_bytes(),
                .areas = pool_.chunk_count()};
    }
    [[nodiscard]] std::uint64_t misuse_count() const noexcept {
        return pool_.misuse_count() + public_.misuses.get();
    }
    /// @brief The pool beneath, to look at.
    [[nodiscard]] const pool_type& as_pool() const noexcept { return pool_; }

  protected:
    pmalloc_core(const pmalloc_options& options, std::string_view name, guarded_metadata& books,
                 pmalloc_public& always_writable, Protection protection, Backing backing)
        : name_(name), books_(books), public_(always_writable), options_(options),
          pool_({.name = name,
                 .growth = growth_policy::refill(options.refill_bytes != 0 ? options.refill_bytes
                                                                           : backing.page_bytes()),
                 .cap_bytes = options.cap_bytes,
                 .on_misuse = options.on_misuse,
                 .metadata = books},
                order_granule(options.granule_order), std::move(backing), first_fit{},
                std::move(protection), counts_elsewhere{&always_writable.counts}) {
        options_.name = name;
    }
    /// @pre  The books are open.
    ~pmalloc_core() { pool_.reset(); } // what was not given back is dropped

    /// @brief The books are open for a scope, and closed afterwards if they were or are to be.
    class open_books {
      public:
        explicit open_books(pmalloc_core& pool) noexcept : pool_(pool) {
            if (pool_.books_closed_)
                opened_ = pool_.books_.open();
            if (opened_)
                pool_.books_closed_ = false;
        }
        ~open_books() {
            if (opened_)
                (void)close();
        }
        open_books(const open_books&) = delete;
        open_books& operator=(const open_books&) = delete;

        [[nodiscard]] const result<void>& opened() const noexcept { return opened_; }
        /// @brief Closes them now, if anything is protected.
        result<void> close() noexcept {
            if (!opened_ || !pool_.has_closed_ || pool_.books_closed_)
                return {};
            pool_.books_closed_ = true; // the last thing that is written
            auto closed = pool_.books_.close();
            if (!closed && pool_.books_.open())
                pool_.books_closed_ = false;
            return closed;
        }

      private:
        pmalloc_core& pool_;
        result<void> opened_;
    };

    [[nodiscard]] result<address> request(std::uint64_t bytes, std::uint64_t alignment,
                                          pmalloc_flags flags) noexcept {
        if (bytes == 0)
            return fail(errc::zero_size);
        if (!is_power_of_two(alignment))
            return fail(errc::bad_alignment);
        if (options_.protects_once && finished_)
            return fail(errc::is_protected);
        open_books books(*this);
        if (!books.opened())
            return tl::unexpected(books.opened().error());
        const typename pool_type::request wanted{
            .bytes = bytes,
            .alignment = std::max(alignment, options_.alignment),
            .may_map = !includes(flags, pmalloc_flags::must_not_map)};
        auto got = serve(wanted);
        while (!got && includes(flags, pmalloc_flags::insist) && may_pass(got.error(), flags)) {
            std::this_thread::yield();
            got = serve(wanted);
        }
        if (!got)
            return got;
        if (const auto closed = books.close(); !closed) {
            (void)pool_.deallocate(*got, bytes);
            return tl::unexpected(closed.error());
        }
        return got;
    }

    result<void> misused(errc what, range where) noexcept {
        public_.misuses.add(1);
        options_.on_misuse.handler(options_.on_misuse.context, {what, where, name_});
        return fail(what);
    }

    /// @param bytes  0: not known
    result<void> give_back(address block, std::uint64_t bytes) noexcept {
        const area* const a = pool_.peek(block);
        if (a == nullptr)
            return misused(errc::not_ours, {block, bytes});
        if (pool_.reuses(*a)) {
            const open_books books(*this);
            if (!books.opened())
                return books.opened();
            return bytes == 0 ? pool_.deallocate(block) : pool_.deallocate(block, bytes);
        }
        const std::size_t first = pool_.granule().index(block - a->where.base);
        const auto found = a->map.block_at(first);
        if (!found)
            return misused(errc::double_free, {block, bytes});
        if (found->first != first || a->where.base + pool_.granule().offset(first) != block)
            return misused(errc::not_a_block, {block, bytes});
        if (bytes != 0 && pool_.granule().count(bytes) != found->count)
            return misused(errc::wrong_size, {block, bytes});
        const open_books books(*this);
        if (!books.opened())
            return books.opened();
        const std::uint64_t dead = pool_.granule().offset(found->count);
        auto died = pool_.deallocate(block);
        if (died) {
            public_.dead_bytes.add(dead);
            public_.dead_blocks.add(1);
        }
        return died;
    }

    [[nodiscard]] result<void> map_ahead(std::uint64_t bytes) noexcept {
        if (options_.protects_once && finished_)
            return fail(errc::is_protected);
        open_books books(*this);
        if (!books.opened())
            return books.opened();
        if (const auto closed = close_older(); !closed)
            return closed;
        if (const auto grown = pool_.grow(bytes); !grown)
            return tl::unexpected(grown.error());
        if (const auto closed = area_was_opened(); !closed)
            return closed;
        return books.close();
    }

    [[nodiscard]] result<strength> close_all() noexcept {
        open_books books(*this);
        if (!books.opened())
            return tl::unexpected(books.opened().error());
        const auto got = close_areas();
        finished_ = finished_ || got || interrupted_;
        if (!got)
            return got;
        if (const auto closed = books.close(); !closed) {
            interrupted_ = true;
            return tl::unexpected(closed.error());
        }
        return pool_.chunk_count() == 0 ? strength::none : *got;
    }

    /// Protects all areas, or the `count` oldest.
    /// @pre  The books are open.
    [[nodiscard]] result<strength> close_areas(std::size_t count = ~std::size_t{0}) noexcept {
        const std::size_t before = closed_areas();
        const auto got = pool_.protect(count);
        const std::size_t after = closed_areas();
        has_closed_ = has_closed_ || after != 0 || got;
        interrupted_ = !got && (interrupted_ || after > before);
        return got;
    }

    [[nodiscard]] bool is_writable(address place) const noexcept {
        const area* const a = pool_.peek(place);
        return a != nullptr && pool_.achieved_in(*a) == strength::none;
    }

    std::string_view name_;
    guarded_metadata& books_;
    pmalloc_public& public_;
    pmalloc_options options_;
    bool books_closed_ = false;
    bool has_closed_ = false;  ///< something is protected, or the pool is although it is empty
    bool finished_ = false;    ///< the user has protected it
    bool older_open_ = false;  ///< automatic pools: a new area is there, and the one before is open
    bool interrupted_ = false; ///< the last attempt to protect got stuck behind a seal
    pool_type pool_;

  private:
    /// A block from an area that is there, or from a new one.
    /// @pre  The books are open.
    [[nodiscard]] result<address> serve(typename pool_type::request wanted) noexcept {
        if (const auto closed = close_older(); !closed)
            return tl::unexpected(closed.error());
        const bool may_map = std::exchange(wanted.may_map, false);
        auto got = pool_.allocate(wanted);
        if (got || !may_map ||
            (got.error().code != errc::out_of_memory && got.error().code != errc::is_protected))
            return got;
        wanted.may_map = true;
        got = pool_.allocate(wanted);
        if (!got)
            return got;
        if (const auto closed = area_was_opened(); !closed) {
            (void)pool_.deallocate(*got, wanted.bytes);
            return tl::unexpected(closed.error());
        }
        return got;
    }

    [[nodiscard]] result<void> area_was_opened() noexcept {
        if (options_.mode == pmalloc_mode::start_wr)
            has_closed_ = true;
        older_open_ = is_automatic(options_.mode) && pool_.chunk_count() > 1;
        return close_older();
    }

    // The new area comes first: where there can be none, the old one stays as it is.
    [[nodiscard]] result<void> close_older() noexcept {
        if (!older_open_)
            return {};
        const auto closed = close_areas(pool_.chunk_count() - 1);
        older_open_ = !closed;
        return closed.map([](strength) {});
    }

    [[nodiscard]] std::size_t closed_areas() const noexcept {
        std::size_t closed = 0;
        pool_.for_each_chunk([&](const area& a) {
            closed += pool_.achieved_in(a) != strength::none ? std::size_t{1} : 0;
        });
        return closed;
    }

    // Nobody else gives a block back meanwhile, so only new memory ends a want of memory.
    [[nodiscard]] static bool may_pass(error why, pmalloc_flags flags) noexcept {
        return is_shortage(why) ||
               (why.code == errc::out_of_memory && !includes(flags, pmalloc_flags::must_not_map));
    }

    [[nodiscard]] std::uint64_t blocks_before(const area& a, std::size_t end) const noexcept {
        std::uint64_t blocks = 0;
        for (std::size_t i = 0; i < end;) {
            const auto block = a.map.block_at(i);
            blocks += block ? 1U : 0U;
            const granule_run free = block ? granule_run{} : a.map.next_free_run(i);
            i = block ? block->last() : free.count != 0 && free.first == i ? free.last() : i + 1;
        }
        return blocks;
    }
};

} // namespace palloc::inline v0::detail
