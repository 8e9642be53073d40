// SPDX-License-Identifier: MIT
/// @file
/// @brief A pool in memory that processes share: each attaches at an address of its own, and none
/// waits for another, nor suffers from its death.
///
/// What a process allocates is its own and ends with it, whether it detaches or is killed at any
/// instruction: the others get it back, by themselves when they run out, or by `reclaim`. What
/// shall outlive it, or be freed by another process, is handed over to the pool by `keep`.
///
/// It is the one `pool` over offsets into the segment, with a `claimed` bitmap in it; nothing is
/// placed or tracked here. Choose `spread` where many processes are at work, `first_fit` where
/// memory should stay dense.
#pragma once

#include <palloc/algorithms/spread.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/bitmaps/claimed.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/metadata/metadata_arena.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>
#include <palloc/shared/segment.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace palloc::inline v0 {

/// @brief This process's pool over a segment that it is attached to.
/// @tparam GranuleBytes  that of the segment
/// @par Thread safety  any thread; signal handlers, but for `keep`, `take_over`, `reclaim` and the
/// release of what is kept. A child of fork has to attach itself.
template <std::uint32_t GranuleBytes = 64, class Algorithm = spread>
class shared_pool {
  public:
    using pool_type = pool<static_granule<GranuleBytes>, borrowed, claimed, Algorithm, unprotected>;

    static constexpr bool is_touchable = true;
    static constexpr bool is_concurrent = true;

    /// @brief A pool over a segment of the same granules, which outlives it.
    /// @param options  growth, limits, `maps` and the metadata of records are not looked at
    /// @pre  The segment's granules have `GranuleBytes` bytes, and no other pool of this process is
    /// over this attachment.
    explicit shared_pool(shared_segment& segment, pool_options options = {},
                         Algorithm algorithm = Algorithm()) noexcept
        : segment_(&segment), books_({segment.books(), claimed::storage_bytes(segment.granules())}),
          pool_(with_books(options), {}, {}, std::move(algorithm)) {
        opened_ = pool_.add({.where = segment.data()}).map([](range) noexcept {});
        shared_segment::own_word_of(segment.base())
            .store(reinterpret_cast<std::uintptr_t>(this), std::memory_order_release);
    }
    shared_pool(const shared_pool&) = delete;
    shared_pool& operator=(const shared_pool&) = delete;
    ~shared_pool() { shared_segment::own_word_of(segment_->base()).store(0); }

    /// @brief Whether there was memory for the pool's own records; without it nothing is allocated.
    [[nodiscard]] result<void> opened() const noexcept { return opened_; }

    /// @brief A block, this process's own. Where there is no room what the dead have left is
    /// reclaimed first.
    /// @par Errors  those of `pool::allocate`; `bad_alignment` also above
    /// `shared_segment::base_alignment`
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        return allocate_offset(bytes, alignment).map([this](std::uint64_t offset) noexcept {
            return segment_->at(offset);
        });
    }
    /// @brief The same as an offset, which other processes understand, too.
    [[nodiscard]] result<std::uint64_t> allocate_offset(std::uint64_t bytes,
                                                        std::uint64_t alignment = 1) noexcept {
        if (alignment > shared_segment::base_alignment)
            return fail(errc::bad_alignment);
        auto got = pool_.allocate(bytes, alignment);
        if (!got && got.error().code == errc::out_of_memory) [[unlikely]]
            if (segment_->reclaim().bytes != 0)
                return pool_.allocate(bytes, alignment);
        return got;
    }

    /// @brief Gives a block back that is this process's, or kept.
    /// @par Errors  misuse: those of `pool::deallocate`; `double_free` also for blocks of others
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        // An offset may have an alignment that no address here has; none has 0.
        const bool possible = alignment <= shared_segment::base_alignment;
        return pool_.deallocate(segment_->offset_of(block), bytes, possible ? alignment : 0);
    }
    result<void> deallocate_offset(std::uint64_t block, std::uint64_t bytes) noexcept {
        return pool_.deallocate(block, bytes);
    }

    /// @brief Hands a block over to the pool: it outlives this process, and any process may release
    /// it or take it over. All or nothing, whenever this process is killed.
    /// @par Errors  `not_ours`, `past_the_end`; `not_a_block` unless all of it is this process's
    result<void> keep(address block, std::uint64_t bytes) noexcept {
        return run_of(block, bytes).and_then([this](granule_run run) noexcept -> result<void> {
            return segment_->map().keep(run) ? result<void>() : fail(errc::not_a_block);
        });
    }
    /// @brief The other way: a block that was kept ends with this process.
    /// @par Errors  `not_ours`, `past_the_end`; `not_a_block` unless all of it is kept
    result<void> take_over(address block, std::uint64_t bytes) noexcept {
        return run_of(block, bytes).and_then([this](granule_run run) noexcept -> result<void> {
            return segment_->map().take_over(run) ? result<void>() : fail(errc::not_a_block);
        });
    }

    [[nodiscard]] bool owns(address place) const noexcept {
        return pool_.owns(segment_->offset_of(place));
    }
    /// @brief Bytes that nobody has, and those that this process has, or the pool keeps.
    /// O(granules / 8).
    [[nodiscard]] std::uint64_t free_bytes() const noexcept { return pool_.free_bytes(); }
    [[nodiscard]] std::uint64_t own_bytes() const noexcept { return bytes_of(segment_->self()); }
    [[nodiscard]] std::uint64_t kept_bytes() const noexcept { return bytes_of(claimed::kept); }

    /// @brief See `shared_segment::reclaim`.
    shared_segment::reclaimed reclaim() noexcept { return segment_->reclaim(); }

    [[nodiscard]] shared_segment& segment() const noexcept { return *segment_; }
    /// @brief The pool beneath, whose addresses are offsets: for views, `explain`, `misuse_count`.
    [[nodiscard]] pool_type& as_pool() noexcept { return pool_; }

    /// @brief The pool of this process over the segment that is mapped at `base`, or null.
    [[nodiscard]] static shared_pool* over(address base) noexcept {
        return reinterpret_cast<shared_pool*>(
            shared_segment::own_word_of(base).load(std::memory_order_acquire));
    }

  private:
    /// The bitmap's storage, which is there already.
    class lent_books {
      public:
        explicit lent_books(std::span<std::byte> storage) noexcept : storage_(storage) {}
        [[nodiscard]] result<std::byte*> take(std::size_t bytes) noexcept {
            return bytes == storage_.size() ? result<std::byte*>(storage_.data())
                                            : fail(errc::bad_argument);
        }
        void give_back(std::byte*, std::size_t) noexcept {}

      private:
        std::span<std::byte> storage_;
    };

    [[nodiscard]] pool_options with_books(pool_options options) noexcept {
        options.maps = books_;
        return options;
    }

    [[nodiscard]] result<granule_run> run_of(address block, std::uint64_t bytes) const noexcept {
        const range data = segment_->data();
        const std::uint64_t first = segment_->offset_of(block) - data.base;
        if (bytes == 0)
            return fail(errc::zero_size);
        if (first >= data.bytes || first % GranuleBytes != 0)
            return fail(first >= data.bytes ? errc::not_ours : errc::not_a_block);
        if (bytes > data.bytes - first)
            return fail(errc::past_the_end);
        return granule_run{static_cast<std::size_t>(first / GranuleBytes),
                           static_granule<GranuleBytes>::count(bytes)};
    }
    [[nodiscard]] std::uint64_t bytes_of(claimed::claimant whose) const noexcept {
        return std::uint64_t{segment_->map().count_of(whose)} * GranuleBytes;
    }

    shared_segment* segment_;
    lent_books books_;
    pool_type pool_;
    result<void> opened_;
};

static_assert(concurrent_allocator<shared_pool<>> && touchable_allocator<shared_pool<>>);

} // namespace palloc::inline v0
