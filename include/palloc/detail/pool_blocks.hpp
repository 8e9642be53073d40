// SPDX-License-Identifier: MIT
/// @file
/// @brief The blocks of a pool: how they are given back, resized, found, and protected.
///
/// The part of the pool between its chunks and the path of a request. Not used by itself.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/detail/pool_chunks.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace palloc::inline v0::detail {

template <granularity Granule, backing_provider Backing, chunk_bitmap Bitmap,
          protection_for<Backing> Protection, pool_observer... Observers>
class pool_blocks : public pool_chunks<Granule, Backing, Bitmap, Protection, Observers...> {
    using base = pool_chunks<Granule, Backing, Bitmap, Protection, Observers...>;

  public:
    using base::is_concurrent;
    using typename base::chunk;

    /// @brief Gives a block back. Over a bitmap that knows blocks the size must be the block's;
    /// over the others any granules in use may be given back, in whatever pieces.
    /// @par Errors  misuse: `not_ours`, `zero_size`, `not_a_block`, `past_the_end`, `wrong_size`,
    ///   `double_free`. Nothing changed, but see the bitmap on `double_free`.
    /// @par Complexity  O(1) to find the chunk where that is cached, else O(log chunks); O(granules
    /// / 64)
    [[gnu::always_inline]] result<void>
    deallocate(address block, std::uint64_t bytes,
               [[maybe_unused]] std::uint64_t alignment = 1) noexcept {
        chunk* const c = table_.find(block);
        if (c == nullptr) [[unlikely]]
            return report(errc::not_ours, {block, bytes});
        const std::size_t first = granule_.index(block - c->where.base);
        const granule_run run{first, granule_.count(bytes)};
        if (const errc wrong = check(*c, block, run); wrong != errc{}) [[unlikely]]
            return report(wrong, {block, bytes});
        return give_back(*c, run, bytes);
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
        if (new_bytes == 0)
            return fail(errc::zero_size);
        const granule_run run{granule_.index(block - c->where.base), granule_.count(old_bytes)};
        if (const errc wrong = check(*c, block, run); wrong != errc{})
            return report(wrong, {block, old_bytes});
        const std::size_t count = granule_.count(new_bytes);
        if (!reusable(*c))
            return fail(errc::is_protected);
        if (count > c->map.size() - run.first)
            return fail(errc::no_room);
        if (count != run.count)
            if (const auto moved =
                    count > run.count ? lengthen(*c, run, count) : shorten(*c, run, count);
                !moved)
                return moved;
        notify({.what = event::kind::resize,
                .where = bytes_of(*c, {run.first, count}),
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

    /// @brief Protects every chunk. Answers the weakest strength achieved.
    ///
    /// Where the policy protects in two steps, the first is taken for all chunks before the second
    /// is taken for any: as long as nothing is sealed a failure leaves nothing protected.
    /// @par Errors  the policy's, at the first chunk that failed; older chunks are not protected
    /// then. Calling again goes on from there.
    [[nodiscard]] result<strength> protect() noexcept
        requires protection_can_close<Protection, Backing>
    {
        [[maybe_unused]] const std::size_t oldest = oldest_unprotected();
        if constexpr (protection_closes_in_two_steps<Protection, Backing>)
            if (const auto ready = make_ready(oldest); !ready)
                return tl::unexpected(ready.error());
        strength weakest = strength::write_xor_execute;
        for (std::size_t i = table_.size(); i-- != 0;) {
            chunk& c = table_[i];
            const auto got = protection_.protect(backing_, c.source, c.state);
            if (!got) {
                if constexpr (protection_closes_in_two_steps<Protection, Backing>)
                    take_back(oldest, i + 1);
                return got;
            }
            weakest = *got < weakest ? *got : weakest;
            notify({.what = event::kind::protect, .where = c.where});
        }
        return weakest;
    }

    /// @brief Ends all writing into every chunk. Answers the weakest strength achieved.
    /// @par Errors  the policy's, at the first chunk that failed; calling again goes on.
    [[nodiscard]] result<strength> end_writing() noexcept
        requires protection_can_end_writing<Protection, Backing>
    {
        strength weakest = strength::write_xor_execute;
        for (std::size_t i = table_.size(); i-- != 0;) {
            const auto got = protection_.end_writing(backing_, table_[i].source, table_[i].state);
            if (!got)
                return got;
            weakest = *got < weakest ? *got : weakest;
        }
        return weakest;
    }

    /// @brief Copies bytes into a chunk in the way that its protection has.
    /// @par Errors  `not_ours`, `past_the_end`, the policy's
    [[nodiscard]] result<void> store(address place, std::span<const std::byte> bytes) noexcept
        requires protection_can_store<Protection, Backing>
    {
        chunk* const c = table_.peek(place);
        if (c == nullptr)
            return fail(errc::not_ours);
        if (!c->where.contains(range{place, bytes.size()}))
            return fail(errc::past_the_end);
        return protection_.store(backing_, c->source, c->state, place, bytes);
    }

    /// @brief A scoped write window onto part of a chunk.
    /// @par Errors  `not_ours`, `past_the_end`, the policy's
    [[nodiscard]] auto open_window(range part) noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        using window = typename Protection::window;
        chunk* const c = table_.peek(part.base);
        if (c == nullptr)
            return result<window>(fail(errc::not_ours));
        if (!c->where.contains(part))
            return result<window>(fail(errc::past_the_end));
        return protection_.open_window(backing_, c->source, c->state, part);
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

  private:
    [[nodiscard]] std::size_t oldest_unprotected() const noexcept {
        std::size_t i = 0;
        while (i != table_.size() && protection_.achieved(table_[i].state) != strength::none)
            ++i;
        return i;
    }

    /// Takes the first step for all chunks from number `oldest` on, or for none.
    [[nodiscard]] result<void> make_ready(std::size_t oldest) noexcept {
        for (std::size_t i = table_.size(); i-- != oldest;)
            if (auto ready = protection_.make_ready(backing_, table_[i].source, table_[i].state);
                !ready) {
                take_back(i + 1, table_.size());
                return ready;
            }
        return {};
    }

    /// Opens the chunks `first` to `last` again, but for what is closed for good.
    void take_back(std::size_t first, std::size_t last) noexcept {
        for (std::size_t i = first; i != last; ++i)
            (void)protection_.take_back(backing_, table_[i].source, table_[i].state);
    }

    /// What is wrong with giving `run`, which the caller says begins at `block`, back.
    [[nodiscard]] errc check(const chunk& c, address block, granule_run run) const noexcept {
        if (run.count == 0)
            return errc::zero_size;
        if (run.first >= c.map.size() || run.count > c.map.size() - run.first)
            return errc::past_the_end;
        if (c.where.base + granule_.offset(run.first) != block)
            return errc::not_a_block;
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

    [[gnu::always_inline]] result<void> give_back(chunk& c, granule_run run,
                                                  std::uint64_t asked) noexcept {
        const range bytes = bytes_of(c, run);
        const event gone{.what = event::kind::release, .where = bytes, .asked = asked};
        if (!reusable(c)) {
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
        if constexpr (!is_concurrent) {
            notify(gone);
            decommit(c, run);
        }
        if constexpr (is_concurrent) {
            make_open(c);
        } else {
            const std::size_t free = c.map.free_count();
            if (free == run.count) [[unlikely]] // it was full
                make_open(c);
            if (free == c.map.size()) [[unlikely]]
                this->on_empty(c);
        }
        return {};
    }

    // That pages could not be given back is no reason to keep the block.
    void decommit([[maybe_unused]] chunk& c, [[maybe_unused]] granule_run run) noexcept {
        if constexpr (backing_can_commit<Backing>)
            (void)backing_.decommit(c.source, bytes_of(c, run));
    }

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
