// SPDX-License-Identifier: MIT
/// @file
/// @brief The blocks of a pool: how they are given back, resized and found.
///
/// The part of the pool between its chunks and the path of a request. Not used by itself.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/detail/pool_areas.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace palloc::inline v0::detail {

template <granularity Granule, backing_provider Backing, chunk_bitmap Bitmap,
          protection_for<Backing> Protection, pool_observer... Observers>
class pool_blocks : public pool_areas<Granule, Backing, Bitmap, Protection, Observers...> {
    using base = pool_areas<Granule, Backing, Bitmap, Protection, Observers...>;

  public:
    using base::is_concurrent;
    using typename base::chunk;

    /// @brief Gives a block back. Over a bitmap that knows blocks the size must be the block's;
    /// over the others any granules in use may be given back, in whatever pieces.
    /// @par Errors  misuse: `not_ours`, `zero_size`, `not_a_block`, `past_the_end`,
    ///   `bad_alignment` (no power of two, or one that the block does not have), `wrong_size`,
    ///   `double_free`. Nothing changed, but see the bitmap on `double_free`.
    /// @par Complexity  O(1) to find the chunk where that is cached, else O(log chunks); O(granules
    /// / 64)
    [[gnu::always_inline]] result<void> deallocate(address block, std::uint64_t bytes,
                                                   std::uint64_t alignment = 1) noexcept {
        chunk* const c = table_.find(block);
        if (c == nullptr) [[unlikely]]
            return report(errc::not_ours, {block, bytes});
        if (!has_alignment(block, alignment)) [[unlikely]]
            return refuse_alignment(*c, block, bytes);
        return deallocate_from(*c, block, bytes);
    }
    /// @brief The same, where the chunk that contains the block is known already.
    /// @pre  `in` is a chunk of this pool, and contains `block`.
    result<void> deallocate_in(const chunk& in, address block, std::uint64_t bytes) noexcept {
        return deallocate_from(table_[in.index], block, bytes);
    }

    /// @brief Gives blocks of `bytes` bytes each back; misuse is reported, and goes no further.
    void deallocate_many(std::span<const address> blocks, std::uint64_t bytes,
                         std::uint64_t alignment = 1) noexcept {
        for (const address block : blocks)
            (void)deallocate(block, bytes, alignment);
    }

    /// @brief Gives the block that begins at `block` back.
    /// @par Errors  misuse: `not_ours`, `not_a_block`, `double_free`. Nothing changed.
    result<void> deallocate(address block) noexcept
        requires bitmap_knows_blocks<Bitmap>
    {
        const auto found = block_of(block);
        if (!found) [[unlikely]]
            return report(found.error().code, {block, 0});
        return give_back(*found->first, found->second, granule_.offset(found->second.count));
    }

    /// @brief Makes a block longer or shorter where it is.
    /// @par Errors  `no_room`: the granules behind it are not free; misuse as for `deallocate`.
    /// State
    ///   unchanged.
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes) noexcept {
        chunk* const c = table_.find(block);
        if (c == nullptr)
            return report(errc::not_ours, {block, old_bytes});
        return resize_in(*c, block, old_bytes, new_bytes);
    }
    /// @brief The same, where the chunk that contains the block is known already.
    /// @pre  `in` is a chunk of this pool, and contains `block`.
    result<void> resize_in(const chunk& in, address block, std::uint64_t old_bytes,
                           std::uint64_t new_bytes) noexcept {
        chunk& c = table_[in.index];
        if (new_bytes == 0)
            return fail(errc::zero_size);
        const granule_run run{granule_.index(block - c.where.base), granule_.count(old_bytes)};
        if (const errc wrong = check(c, block, run); wrong != errc{}) [[unlikely]]
            return report(wrong, {block, old_bytes});
        const std::size_t count = granule_.count(new_bytes);
        if (!reusable(c))
            return fail(errc::is_protected);
        if (count > c.map.size() - run.first)
            return fail(errc::no_room);
        if (count != run.count)
            if (const auto moved =
                    count > run.count ? lengthen(c, run, count) : shorten(c, run, count);
                !moved)
                return moved;
        notify({.what = event::kind::resize,
                .where = bytes_of(c, {run.first, count}),
                .asked = granule_.offset(run.count)});
        return {};
    }

    /// @brief Drops every live block at once. Alone. Chunks whose blocks are dead stay as they are.
    /// @par Complexity  O(granules / 64)
    void reset() noexcept {
        this->for_each_chunk([this](chunk& c) {
            if (!reusable(c))
                return;
            if constexpr (backing_can_commit<Backing>)
                (void)backing_.decommit(c.source, c.where);
            c.map.reset();
            table_.open(c);
        });
        front_ = table_.newest_open(table_.size());
        notify({.what = event::kind::reset});
    }

    /// @brief What `f(protection, backing, region, state)` answers for the chunk that contains
    /// `place`: what a protection can do beyond its concept.
    /// @par Errors  `not_ours`, those of `f`
    template <class F>
    [[nodiscard]] auto with_area(address place, F&& f) noexcept
        -> decltype(f(std::declval<Protection&>(), std::declval<Backing&>(),
                      std::declval<typename Backing::region&>(),
                      std::declval<typename Protection::area_state&>())) {
        chunk* const c = table_.find(place);
        if (c == nullptr) [[unlikely]]
            return fail(errc::not_ours);
        return f(protection_, backing_, c->source, c->state);
    }

    /// @brief Gives the chunk that contains `place` back, if no block lives there and `may_go`.
    /// Answers whether.
    /// @par Complexity  O(chunks)
    template <std::predicate<const chunk&> MayGo>
    bool release_empty_chunk_if(address place, MayGo&& may_go) noexcept
        requires(!is_concurrent)
    {
        chunk* const gone = table_.find(place);
        if (gone == nullptr || !base::is_empty(*gone) || !reusable(*gone) || !may_go(*gone))
            return false;
        this->spare_ = this->spare_ == gone ? nullptr : this->spare_;
        table_.remove_if([gone](chunk& c) { return &c == gone; },
                         [this](chunk& c) { this->retire(c); });
        front_ = table_.newest_open(table_.size());
        return true;
    }

    /// @brief Tells the observers of what was done in `with_area`.
    void tell(const event& happened) noexcept { notify(happened); }

    /// @brief The block that `place` lies in.
    /// @par Errors  `not_ours`, `not_a_block`: the place is free
    /// @par Complexity  that of `find`, and O(block / 64)
    [[nodiscard]] result<range> block_around(address place) const noexcept
        requires bitmap_knows_blocks<Bitmap>
    {
        const chunk* const c = table_.find(place);
        if (c == nullptr)
            return fail(errc::not_ours);
        const auto run = c->map.block_at(granule_.index(place - c->where.base));
        if (!run)
            return fail(errc::not_a_block);
        return bytes_of(*c, *run);
    }

    /// @brief Whether `block` is exactly a block.
    /// @par Complexity  that of `find`, and O(block / 64)
    [[nodiscard]] bool is_block(range block) const noexcept
        requires bitmap_checks_blocks<Bitmap>
    {
        const chunk* const c = table_.find(block.base);
        if (c == nullptr)
            return false;
        const granule_run run{granule_.index(block.base - c->where.base),
                              granule_.count(block.bytes)};
        return check_place(*c, block.base, run) == errc{} && bytes_of(*c, run) == block &&
               c->map.is_block(run);
    }

    /// @brief Bytes that a block of `bytes` bytes may use; 2^64 - 1 where that would overflow.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes) const noexcept {
        const std::uint64_t usable = granule_.offset(granule_.count(bytes));
        return usable < bytes ? ~std::uint64_t{0} : usable;
    }
    /// @brief Bytes that the block at `block` may use.
    [[nodiscard]] result<std::uint64_t> usable_bytes_at(address block) const noexcept
        requires bitmap_knows_blocks<Bitmap>
    {
        return block_of(block).map(
            [this](const auto& found) { return granule_.offset(found.second.count); });
    }

  protected:
    using base::backing_;
    using base::base;
    using base::bytes_of;
    using base::front_;
    using base::granule_;
    using base::notify;
    using base::protection_;
    using base::report;
    using base::reusable;
    using base::table_;

    ~pool_blocks() = default;

    [[nodiscard]] bool release(chunk& c, granule_run run) noexcept {
        if constexpr (bitmap_knows_blocks<Bitmap>)
            return c.map.release_block(run.first) == run.count;
        else
            return c.map.release(run) == 0;
    }

    void make_open(chunk& c) noexcept {
        table_.open(c);
        if constexpr (!is_concurrent)
            if (front_ == nullptr || front_->index < c.index)
                front_ = &c;
    }

  private:
    /// What is wrong with giving `run`, which the caller says begins at `block`, back.
    [[nodiscard]] errc check(const chunk& c, address block, granule_run run) const noexcept {
        if (const errc wrong = check_place(c, block, run); wrong != errc{}) [[unlikely]]
            return wrong;
        if constexpr (bitmap_checks_blocks<Bitmap>)
            if (c.map.is_block(run)) [[likely]]
                return errc{};
        if constexpr (bitmap_knows_blocks<Bitmap>) {
            const auto found = c.map.block_at(run.first);
            if (!found)
                return errc::double_free;
            if (found->first != run.first)
                return errc::not_a_block;
            if (found->count != run.count)
                return errc::wrong_size;
        }
        return errc{};
    }
    [[nodiscard]] errc check_place(const chunk& c, address block, granule_run run) const noexcept {
        if (run.count == 0)
            return errc::zero_size;
        if (run.first >= c.map.size() || run.count > c.map.size() - run.first)
            return errc::past_the_end;
        if (c.where.base + granule_.offset(run.first) != block)
            return errc::not_a_block;
        return errc{};
    }

    // What is wrong with the place itself says more.
    [[gnu::noinline]] result<void> refuse_alignment(const chunk& c, address block,
                                                    std::uint64_t bytes) noexcept {
        const errc wrong =
            check_place(c, block, {granule_.index(block - c.where.base), granule_.count(bytes)});
        return report(wrong != errc{} ? wrong : errc::bad_alignment, {block, bytes});
    }

    [[gnu::always_inline]] result<void> deallocate_from(chunk& c, address block,
                                                        std::uint64_t bytes) noexcept {
        const granule_run run{granule_.index(block - c.where.base), granule_.count(bytes)};
        if constexpr (!is_concurrent && bitmap_checks_blocks<Bitmap>)
            if (check_place(c, block, run) == errc{} && reusable(c) && c.map.release_exactly(run))
                [[likely]] {
                released(c, run, bytes);
                return {};
            }
        if (const errc wrong = check(c, block, run); wrong != errc{}) [[unlikely]]
            return report(wrong, {block, bytes});
        return give_back(c, run, bytes);
    }

    [[gnu::always_inline]] result<void> give_back(chunk& c, granule_run run,
                                                  std::uint64_t asked) noexcept {
        const range bytes = bytes_of(c, run);
        const event gone{.what = event::kind::release, .where = bytes, .asked = asked};
        if (!reusable(c)) {
            if constexpr (bitmap_knows_blocks<Bitmap>) // who is dead cannot die again
                if (!c.map.abandon_block(run.first)) [[unlikely]]
                    return report(errc::double_free, bytes);
            notify(gone);
            return {};
        }
        // Once released the block may be another thread's; where there is no other thread, nothing
        // is done before it is known to be right.
        if constexpr (is_concurrent) {
            notify(gone);
            decommit(c, run);
        }
        if (!release(c, run)) [[unlikely]]
            return report(errc::double_free, bytes);
        if constexpr (is_concurrent)
            make_open(c);
        else
            released(c, run, asked);
        return {};
    }

    /// What is left to do once a block is free again.
    void released(chunk& c, granule_run run, std::uint64_t asked) noexcept
        requires(!is_concurrent)
    {
        notify({.what = event::kind::release, .where = bytes_of(c, run), .asked = asked});
        decommit(c, run);
        const std::size_t free = c.map.free_count();
        if (free == run.count) [[unlikely]] // it was full
            make_open(c);
        if (free == c.map.size()) [[unlikely]]
            this->on_empty(c);
    }

    // That pages could not be given back is no reason to keep the block.
    void decommit([[maybe_unused]] chunk& c, [[maybe_unused]] granule_run run) noexcept {
        if constexpr (backing_can_commit<Backing>)
            (void)backing_.decommit(c.source, bytes_of(c, run));
    }

    result<void> lengthen(chunk& c, granule_run run, std::size_t count) noexcept {
        const granule_run more{run.last(), count - run.count};
        if (!set_end(c, run, count, [&] { return c.map.claim(more); }))
            return fail(errc::no_room);
        if constexpr (backing_can_commit<Backing>)
            if (const auto there = backing_.commit(c.source, bytes_of(c, more)); !there) {
                (void)set_end(c, {run.first, count}, run.count,
                              [&] { return c.map.release(more) == 0; });
                return there;
            }
        return {};
    }

    result<void> shorten(chunk& c, granule_run run, std::size_t count) noexcept {
        const granule_run rest{run.first + count, run.count - count};
        if constexpr (is_concurrent)
            decommit(c, rest);
        if (!set_end(c, run, count, [&] { return c.map.release(rest) == 0; }))
            return report(errc::double_free, bytes_of(c, rest));
        if constexpr (!is_concurrent)
            decommit(c, rest);
        make_open(c);
        return {};
    }

    /// Moves the end of a block: by the bitmap where it knows blocks, else by what `otherwise`
    /// does.
    template <class F>
    [[nodiscard]] bool set_end(chunk& c, granule_run run, std::size_t count,
                               F&& otherwise) noexcept {
        if constexpr (bitmap_knows_blocks<Bitmap>)
            return c.map.resize(run, count);
        else
            return otherwise();
    }

    [[nodiscard]] result<std::pair<chunk*, granule_run>> block_of(address block) const noexcept {
        chunk* const c = table_.find(block);
        if (c == nullptr)
            return fail(errc::not_ours);
        const std::size_t first = granule_.index(block - c->where.base);
        if (first >= c->map.size() || c->where.base + granule_.offset(first) != block)
            return fail(errc::not_a_block);
        const auto found = c->map.block_at(first);
        if (!found)
            return fail(errc::double_free);
        if (found->first != first)
            return fail(errc::not_a_block);
        return std::pair{c, *found};
    }
};

} // namespace palloc::inline v0::detail
