// SPDX-License-Identifier: MIT
/// @file
/// @brief The chunks of a pool as areas: how they are protected, and written in spite of it.
///
/// The part of the pool between its chunks and its blocks. Not used by itself.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>
#include <palloc/detail/pool_chunks.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace palloc::inline v0::detail {

template <granularity Granule, backing_provider Backing, chunk_bitmap Bitmap,
          protection_for<Backing> Protection, pool_observer... Observers>
class pool_areas : public pool_chunks<Granule, Backing, Bitmap, Protection, Observers...> {
    using base = pool_chunks<Granule, Backing, Bitmap, Protection, Observers...>;

  public:
    using typename base::chunk;

    /// @brief What holds for the chunk that contains `place`; `none` elsewhere.
    [[nodiscard]] strength achieved(address place) const noexcept {
        const chunk* const c = table_.find(place);
        return c == nullptr ? strength::none : protection_.achieved(c->state);
    }

    /// @brief The chunk that contains `place`, or null. Nothing is written, neither to the pool nor
    /// to its books.
    [[nodiscard]] const chunk* peek(address place) const noexcept { return table_.peek(place); }

    /// @brief What holds for a chunk of this pool.
    [[nodiscard]] strength achieved_in(const chunk& c) const noexcept {
        return protection_.achieved(c.state);
    }

    /// @brief Whether blocks of the chunk that are given back can be handed out again.
    [[nodiscard]] bool reuses(const chunk& c) const noexcept { return reusable(c); }

    /// @brief Protects every chunk, or the `count` oldest. Answers the weakest strength achieved.
    ///
    /// Where the policy protects in two steps, the first is taken for all chunks before the second
    /// is taken for any: as long as nothing is sealed a failure leaves nothing protected.
    /// @par Errors  the policy's, at the first chunk that failed; older chunks are not protected
    /// then. Calling again goes on from there.
    [[nodiscard]] result<strength> protect(std::size_t count = ~std::size_t{0}) noexcept
        requires protection_can_close<Protection, Backing>
    {
        const std::size_t end = std::min(count, table_.size());
        [[maybe_unused]] const std::size_t oldest = std::min(end, oldest_unprotected());
        if constexpr (protection_closes_in_two_steps<Protection, Backing>)
            if (const auto ready = make_ready(oldest, end); !ready)
                return tl::unexpected(ready.error());
        strength weakest = strength::write_xor_execute;
        for (std::size_t i = end; i-- != 0;) {
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
        auto opened = protection_.open_window(backing_, c->source, c->state, part);
        if constexpr (requires(const window& w) { w.changes(); })
            if (opened)
                notify(
                    {.what = event::kind::open_window, .where = part, .asked = opened->changes()});
        return opened;
    }

  protected:
    using base::backing_;
    using base::base;
    using base::notify;
    using base::protection_;
    using base::reusable;
    using base::table_;

    ~pool_areas() = default;

  private:
    [[nodiscard]] std::size_t oldest_unprotected() const noexcept {
        std::size_t i = 0;
        while (i != table_.size() && protection_.achieved(table_[i].state) != strength::none)
            ++i;
        return i;
    }

    /// Takes the first step for the chunks `oldest` to `end`, or for none.
    [[nodiscard]] result<void> make_ready(std::size_t oldest, std::size_t end) noexcept {
        for (std::size_t i = end; i-- != oldest;)
            if (auto ready = protection_.make_ready(backing_, table_[i].source, table_[i].state);
                !ready) {
                take_back(i + 1, end);
                return ready;
            }
        return {};
    }

    /// Opens the chunks `first` to `last` again, but for what is closed for good.
    void take_back(std::size_t first, std::size_t last) noexcept {
        for (std::size_t i = first; i != last; ++i)
            (void)protection_.take_back(backing_, table_[i].source, table_[i].state);
    }
};

} // namespace palloc::inline v0::detail
