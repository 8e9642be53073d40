// SPDX-License-Identifier: MIT
/// @file
/// @brief The chunks of a pool: how they come and go, and what can be asked about them.
///
/// The half of the pool that knows regions, areas and the books; the other half, the path of a
/// request, is `pool`. Not used by itself.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/granularity.hpp>
#include <palloc/concepts/observer.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/spin_lock.hpp>
#include <palloc/detail/alignment.hpp>
#include <palloc/detail/chunk_table.hpp>
#include <palloc/pool_options.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <tuple>
#include <utility>

namespace palloc::inline v0::detail {

template <granularity Granule, backing_provider Backing, chunk_bitmap Bitmap,
          protection_for<Backing> Protection, pool_observer... Observers>
class pool_chunks {
  public:
    using attributes = typename Protection::attributes;
    using region = typename Backing::region;
    using adoption = typename adoption_of<Backing>::type;

    static constexpr bool is_concurrent = concurrent_bitmap<Bitmap>;
    static constexpr bool is_touchable = memory_may_be_touched<Backing>;

    /// @brief A chunk, as queries and views see it.
    struct chunk {
        range where;
        Bitmap map;
        std::uint64_t natural_alignment;
        std::size_t index = 0; ///< in order of creation
        region source;
        std::byte* storage;
        std::atomic<bool> drained = false; ///< out of use: all its granules are claimed by the pool
        [[no_unique_address]] typename Protection::area_state state{};
    };

    pool_chunks(const pool_chunks&) = delete;
    pool_chunks& operator=(const pool_chunks&) = delete;

    // ---------------------------------------------------------------- coming and going

    /// @brief Adds memory that somebody else provides, as the newest chunk.
    /// @par Errors  `overlap`, `zero_size`, `too_large`: more granules than a chunk may have, those
    /// of the backing and the metadata provider; nothing changed.
    /// @par Complexity  O(chunks)
    [[nodiscard]] result<range>
    add(adoption given,
        const attributes& wished = {}) noexcept(std::is_nothrow_move_constructible_v<adoption>)
        requires backing_can_adopt<Backing>
    {
        const auto lock = growth_lock();
        auto adopted = backing_.adopt(std::move(given));
        if (!adopted)
            return tl::unexpected(adopted.error());
        const auto added = open(std::move(*adopted), wished, leave_free);
        return added.map([](const chunk* fresh) { return fresh->where; });
    }

    /// @brief Maps a chunk of at least `bytes` bytes, inside `within`, as the newest.
    /// @par Errors  `over_limit`, those of the backing and the metadata provider; nothing changed.
    [[nodiscard]] result<range> grow(std::uint64_t bytes, const attributes& wished = {},
                                     range within = anywhere) noexcept
        requires backing_can_map<Backing>
    {
        const auto lock = growth_lock();
        const auto grown = map_chunk(bytes, bytes, 1, within, wished, leave_free);
        return grown.map([](const chunk* fresh) { return fresh->where; });
    }

    /// @brief Gives chunks without live blocks back, all but `keep` of them. Answers the bytes
    /// given back.
    /// @par Complexity  O(chunks)
    std::uint64_t release_empty_chunks(std::size_t keep = 0) noexcept
        requires(!is_concurrent)
    {
        emptied_ = 0;
        spare_ = nullptr;
        return remove_chunks([&](chunk& c) {
            if (!is_empty(c) || !reusable(c))
                return false;
            if (keep == 0)
                return true;
            --keep;
            spare_ = &c;
            return false;
        });
    }

    // ---------------------------------------------------------------- queries

    /// @brief Whether a chunk contains the byte at `place`. As `find`: O(1) to O(log chunks).
    [[nodiscard]] bool owns(address place) const noexcept { return table_.find(place) != nullptr; }

    /// @brief The chunk that contains `place`, or null.
    [[nodiscard]] const chunk* find(address place) const noexcept { return table_.find(place); }

    /// @brief Bytes in whole granules over all chunks, and those free and used. O(chunks).
    [[nodiscard]] std::uint64_t capacity_bytes() const noexcept {
        return sum([this](const chunk& c) { return granule_.offset(c.map.size()); });
    }
    [[nodiscard]] std::uint64_t free_bytes() const noexcept {
        return sum([this](const chunk& c) { return granule_.offset(c.map.free_count()); });
    }
    [[nodiscard]] std::uint64_t used_bytes() const noexcept {
        return sum([this](const chunk& c) { return used_bytes_of(c); });
    }
    /// @brief Bytes of all chunks, tails that hold no whole granule included.
    [[nodiscard]] std::uint64_t mapped_bytes() const noexcept { return table_.bytes(); }

    /// @brief The longest free run of any chunk. O(chunks) where bitmaps know theirs, else
    /// O(granules / 64).
    [[nodiscard]] std::uint64_t largest_free_run_bytes() const noexcept {
        std::size_t longest = 0;
        for_each_chunk([&](const chunk& c) {
            const std::size_t here = longest_run(c.map);
            longest = here > longest ? here : longest;
        });
        return granule_.offset(longest);
    }

    /// @brief 1 - largest free run / free bytes: 0 when all that is free is in one piece.
    [[nodiscard]] double fragmentation() const noexcept {
        const std::uint64_t free = free_bytes();
        return free == 0 ? 0.0
                         : 1.0 - static_cast<double>(largest_free_run_bytes()) /
                                     static_cast<double>(free);
    }

    [[nodiscard]] std::size_t chunk_count() const noexcept { return table_.size(); }
    /// @brief How many of them are out of use, see `drain_empty_chunks`.
    [[nodiscard]] std::size_t drained_chunks() const noexcept { return drained_chunks_.load(); }

    /// @brief The i-th chunk in order of creation.
    [[nodiscard]] const chunk& chunk_at(std::size_t i) const noexcept { return table_[i]; }

    /// @brief Calls `f(chunk)` for every chunk, newest first. `f` must not add chunks.
    template <std::invocable<const chunk&> F>
    void for_each_chunk(F&& f) const {
        for (std::size_t i = table_.size(); i-- != 0;)
            f(std::as_const(table_[i]));
    }

    /// @brief Mistakes of callers so far.
    [[nodiscard]] std::uint64_t misuse_count() const noexcept {
        return misuses_.load(std::memory_order_relaxed);
    }

    [[nodiscard]] const pool_options& options() const noexcept { return options_; }
    [[nodiscard]] const Granule& granule() const noexcept { return granule_; }
    [[nodiscard]] Backing& backing() noexcept { return backing_; }
    [[nodiscard]] const Backing& backing() const noexcept { return backing_; }
    [[nodiscard]] Protection& protection() noexcept { return protection_; }
    /// @brief The observer of type `O`.
    template <class O>
    [[nodiscard]] O& observer() noexcept {
        return std::get<O>(observers_);
    }

  protected:
    pool_chunks(const pool_options& options, Granule granule, Backing backing,
                Protection protection, std::tuple<Observers...> observers)
        : granule_(std::move(granule)), backing_(std::move(backing)),
          protection_(std::move(protection)), observers_(std::move(observers)), options_(options) {}

    ~pool_chunks() {
        if constexpr (!bitmap_is_shared_by_processes<Bitmap>) { // else blocks may be others'
            const std::uint64_t live =
                sum([this](const chunk& c) { return reusable(c) ? used_bytes_of(c) : 0; });
            if (live != 0)
                (void)report(errc::outstanding, {0, live});
        }
        for (std::size_t i = table_.size(); i-- != 0;)
            retire(table_[i]);
        table_.release(options_.metadata);
    }

    static constexpr auto leave_free = [](const chunk&) noexcept {};

    /// Nobody else adds chunks while it is held.
    [[nodiscard]] locked_if<is_concurrent> growth_lock() noexcept {
        return locked_if<is_concurrent>(growing_, [this] { table_.repair(); });
    }

    [[nodiscard]] std::uint64_t cap_left_bytes() const noexcept {
        const std::uint64_t mapped = mapped_bytes();
        return options_.cap_bytes > mapped ? options_.cap_bytes - mapped : 0;
    }

    [[nodiscard]] std::uint64_t next_step() const noexcept {
        const growth_policy& growth = options_.growth;
        const std::size_t doublings = table_.size();
        if (doublings >= 64 || growth.step_bytes > growth.largest_bytes >> doublings)
            return growth.largest_bytes;
        return growth.step_bytes << doublings;
    }

    /// Maps `wished` bytes, or `needed` where the cap or the system does not give more.
    [[nodiscard]] result<chunk*> map_chunk(std::uint64_t needed, std::uint64_t wished,
                                           std::uint64_t alignment, range within,
                                           const attributes& area, const auto& occupy) noexcept {
        const std::uint64_t left = cap_left_bytes();
        if (needed > left)
            return fail(errc::over_limit);
        wished = wished < needed ? needed : wished < left ? wished : left;
        const map_request q{.bytes = wished,
                            .alignment = alignment < options_.chunk_alignment
                                             ? options_.chunk_alignment
                                             : alignment,
                            .within = within == anywhere ? options_.within : within,
                            .node = options_.node};
        auto mapping = backing_.map(q);
        if (!mapping && wished != needed)
            return map_chunk(needed, needed, alignment, within, area, occupy);
        if (!mapping)
            return tl::unexpected(mapping.error());
        return open(std::move(*mapping), area, occupy);
    }

    /// Makes a chunk of a region, or gives it back. `occupy(chunk)` comes before others see it.
    [[nodiscard]] result<chunk*> open(region&& source, const attributes& wished,
                                      const auto& occupy) noexcept {
        const range where = backing_.where(source);
        const auto give_up = [&](error why) -> result<chunk*> {
            (void)backing_.unmap(source);
            return tl::unexpected(why);
        };
        const bool disjoint = where.bytes != 0 && !table_.overlaps(where);
        if (!disjoint && !options_.takes_any_chunk)
            return give_up({where.bytes == 0 ? errc::zero_size : errc::overlap});
        const std::size_t granules = granule_.index(where.bytes);
        if (granules > most_granules)
            return give_up({errc::too_large});
        if (const auto room = table_.reserve_one(options_.metadata); !room)
            return give_up(room.error());
        const auto record = options_.metadata.take(sizeof(chunk));
        if (!record)
            return give_up(record.error());
        const auto storage = maps().take(Bitmap::storage_bytes(granules));
        if (!storage) {
            options_.metadata.give_back(*record, sizeof(chunk));
            return give_up(storage.error());
        }
        auto* const fresh = ::new (*record)
            chunk{.where = where,
                  .map = Bitmap(*storage, granules),
                  .natural_alignment = natural_alignment(where.base, granule_.bytes()),
                  .source = std::move(source),
                  .storage = *storage};
        if (const auto opened =
                protection_.open_area(backing_, fresh->source, fresh->state, wished);
            !opened) {
            (void)backing_.unmap(fresh->source);
            give_back_books(*fresh);
            return tl::unexpected(opened.error());
        }
        if (!disjoint)
            table_.search_by_age();
        occupy(*fresh);
        table_.append(*fresh);
        front_ = fresh;
        notify({.what = event::kind::add_chunk, .where = where});
        return fresh;
    }

    /// Chunks are given back late, all but one, when they are an eighth of all: to look for them
    /// costs little for each then, and a block that comes and goes alone never maps.
    [[gnu::noinline]] void on_empty(chunk& c) noexcept
        requires(!is_concurrent)
    {
        if (!options_.gives_back_empty_chunks || spare_ == &c)
            return;
        if (spare_ == nullptr || !is_empty(*spare_))
            spare_ = &c;
        else if (++emptied_ > table_.size() / 8)
            (void)release_empty_chunks(1);
    }

    /// Alone. Answers the bytes of the chunks of which `is_doomed` says so.
    template <class IsDoomed>
    std::uint64_t remove_chunks(IsDoomed&& is_doomed) noexcept {
        const std::uint64_t before = mapped_bytes();
        table_.remove_if(is_doomed, [this](chunk& c) { retire(c); });
        front_ = table_.newest_open(table_.size());
        return before - mapped_bytes();
    }

    /// Gives the memory and the books of a chunk back; the table is the caller's business.
    void retire(chunk& c) noexcept {
        notify({.what = event::kind::remove_chunk, .where = c.where});
        (void)protection_.close_area(backing_, c.source, c.state);
        if (!backing_.unmap(c.source)) // what is not gone yet can be unmapped again
            (void)backing_.unmap(c.source);
        give_back_books(c);
    }

    void give_back_books(chunk& c) noexcept {
        maps().give_back(c.storage, Bitmap::storage_bytes(c.map.size()));
        c.~chunk();
        options_.metadata.give_back(reinterpret_cast<std::byte*>(&c), sizeof(chunk));
    }

    template <std::invocable<chunk&> F>
    void for_each_chunk(F&& f)
        requires(!std::invocable<F, const chunk&>)
    {
        for (std::size_t i = table_.size(); i-- != 0;)
            f(table_[i]);
    }

    template <class F>
    [[nodiscard]] std::uint64_t sum(F&& bytes) const noexcept {
        std::uint64_t total = 0;
        for_each_chunk([&](const chunk& c) { total += bytes(c); });
        return total;
    }

    [[nodiscard]] static std::size_t longest_run(const Bitmap& map) noexcept {
        if constexpr (bitmap_knows_longest<Bitmap>)
            return map.longest_free_run().count;
        std::size_t longest = 0;
        for (auto run = map.next_free_run(0); run.count != 0; run = map.next_free_run(run.last()))
            longest = run.count > longest ? run.count : longest;
        return longest;
    }

    /// The changes that may have made room so far, none while one of them is half done.
    [[nodiscard]] std::optional<std::uint64_t> settled() const noexcept {
        std::uint64_t total = table_.size();
        if constexpr (is_concurrent)
            for (std::size_t i = table_.size(); i-- != 0;) {
                const auto here = table_[i].map.settled();
                if (!here)
                    return std::nullopt;
                total += *here;
            }
        return total;
    }

    [[nodiscard]] range bytes_of(const chunk& c, granule_run run) const noexcept {
        return {c.where.base + granule_.offset(run.first), granule_.offset(run.count)};
    }
    [[nodiscard]] std::uint64_t used_bytes_of(const chunk& c) const noexcept {
        return c.drained.load(std::memory_order_relaxed)
                   ? 0
                   : granule_.offset(c.map.size() - c.map.free_count());
    }
    [[nodiscard]] static bool is_empty(const chunk& c) noexcept {
        return c.map.free_count() == c.map.size();
    }
    [[nodiscard]] bool reusable(const chunk& c) const noexcept {
        return protection_.on_release(c.state) == release_action::reuse;
    }
    [[nodiscard]] metadata_ref maps() const noexcept {
        return options_.maps ? *options_.maps : options_.metadata;
    }

    void notify(const event& happened) noexcept {
        std::apply([&](auto&... each) { (each.on(happened), ...); }, observers_);
    }

    [[gnu::noinline]] tl::unexpected<error> report(errc what, range where) noexcept {
        misuses_.fetch_add(1, std::memory_order_relaxed);
        options_.on_misuse.handler(options_.on_misuse.context, {what, where, options_.name});
        return fail(what);
    }

    chunk* front_ = nullptr;  ///< exclusive pools: the newest chunk that may have room
    chunk* spare_ = nullptr;  ///< a chunk that became empty and was kept
    std::size_t emptied_ = 0; ///< how often another one became empty since chunks were given back
    chunk_table<chunk, is_concurrent || protection_can_close<Protection, Backing>> table_;
    [[no_unique_address]] Granule granule_;
    [[no_unique_address]] Backing backing_;
    [[no_unique_address]] Protection protection_;
    [[no_unique_address]] std::tuple<Observers...> observers_;
    pool_options options_;
    spin_lock growing_;
    std::atomic<std::size_t> drained_chunks_{0};
    std::atomic<std::uint64_t> misuses_{0};
};

} // namespace palloc::inline v0::detail
