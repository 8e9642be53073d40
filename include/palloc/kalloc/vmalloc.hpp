// SPDX-License-Identifier: MIT
/// @file
/// @brief vmalloc: whole pages, virtually contiguous, grown and shrunk in place where that is
/// possible, else moved by the page table.
///
/// | request                        | answer                                                     |
/// |--------------------------------|------------------------------------------------------------|
/// | any size                       | whole pages, zeroed; the span has the size asked for       |
/// | any alignment                  | honoured, above a page too                                 |
/// | `realloc`, shorter or as long  | stays; pages that are not needed any more are given back   |
/// | longer, within the last page   | stays, without a system call                               |
/// | longer, the pages behind free  | stays; one system call                                     |
/// | longer, they are not           | the pages move: nothing is copied, whatever the size       |
/// | not aligned as is wished now   | the pages move                                             |
/// | without `flags::may_block`     | only what needs no pages: else `out_of_memory`             |
/// | a node                         | for the pages that are new; see `placement`                |
/// | `flags::account`               | a new block is charged, and stays so, whole pages of it    |
///
/// The heap is one pool over reserved address space, granule a page. Blocks that are freed are
/// without access from then on.
///
/// On Windows, where no call moves pages, their contents are copied where this says that they move.
///
/// @par Thread safety  any thread; a lock for each call
/// Source: vrealloc of the Linux kernel, which copies where this moves.
#pragma once

#include <palloc/algorithms/best_fit.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/granularities/order_granule.hpp>
#include <palloc/kalloc/detail/clean_pages.hpp>
#include <palloc/kalloc/heap_options.hpp>
#include <palloc/kalloc/node_placement.hpp>
#include <palloc/kalloc/page_range.hpp>
#include <palloc/pool.hpp>
#include <palloc/pool_options.hpp>
#include <palloc/protections/unprotected.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief A heap of its own.
template <backing_can_commit Backing>
    requires backing_can_map<Backing> && memory_may_be_touched<Backing>
class basic_vmalloc_heap {
  public:
    static constexpr std::size_t min_align = 4096; ///< pages of this machine may be larger

    /// @brief The pool beneath.
    using pages_pool =
        pool<order_granule, detail::clean_pages<Backing>, boundary<indexed>, best_fit, unprotected>;

    /// @brief Cannot fail: address space is taken by the first block.
    /// @param options  `reserve_bytes` is not used; `account_cap_bytes` is of blocks' pages.
    explicit basic_vmalloc_heap(const heap_options& options = {.step_bytes = default_step_bytes},
                                Backing backing = Backing()) noexcept
        : options_(options), page_bytes_(backing.page_bytes()),
          pages_(beneath(options), granule(), detail::clean_pages(backing, pages_may_be_used_)),
          charged_pages_(beneath(options), granule(),
                         detail::clean_pages(std::move(backing), pages_may_be_used_)) {}
    basic_vmalloc_heap(const basic_vmalloc_heap&) = delete;
    basic_vmalloc_heap& operator=(const basic_vmalloc_heap&) = delete;

    [[nodiscard]] std::size_t page_bytes() const noexcept { return page_bytes_; }

    /// @brief The one primitive: see `typed_allocator` and the table above.
    /// @par Errors  `bad_alignment`; `too_large`; `bad_argument`, a node that no machine has;
    ///   `out_of_memory`, `over_limit`; those of the backing. The old block is as it was.
    /// @par Complexity  a search; a system call for each change of pages; nothing is copied
    [[nodiscard]] result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node node) noexcept {
        const bool is_new = old_layout.bytes == 0 || old == nullptr;
        if (wanted.bytes == 0 && wanted.valid()) {
            if (!is_new)
                give_back(old, old_layout);
            return std::span<std::byte>(dangling(wanted.alignment), 0);
        }
        const auto block =
            is_new ? fresh(wanted, flags, node) : changed(old, wanted, old_layout, flags, node);
        if (!block) [[unlikely]] {
            failures_.fetch_add(1, std::memory_order_relaxed);
            if (!flags.contains(flags::no_warn) && options_.on_failure.handler != nullptr)
                options_.on_failure.handler(options_.on_failure.context,
                                            {block.error(), wanted, flags});
        }
        return block;
    }

    /// @brief Whether the heap has the address. A lock, or two where something is charged, and
    /// O(1).
    [[nodiscard]] bool owns(const std::byte* place) noexcept {
        return pages_.owns(address_of(place)) || is_charged(place);
    }
    /// @brief Bytes that a block may use: those of its pages.
    /// @par Errors  `not_ours`; `not_a_block`; `double_free`
    [[nodiscard]] result<std::uint64_t> usable_bytes(const std::byte* block) noexcept {
        return pool_of(block).with(
            [&](pages_pool& all) { return all.usable_bytes_at(address_of(block)); });
    }
    /// @brief The pages of a block, one by one. Each call asks the heap whether the block is there:
    /// where it is not, or is shorter now, a page answers `past_the_end`.
    /// @par Errors  `bad_alignment` where no block can begin
    [[nodiscard]] result<page_range> pages(std::span<std::byte> block) noexcept {
        return page_range::of_block(block, page_bytes_, *this);
    }
    /// @brief The page of a block that an address lies in.
    /// @par Errors  `not_ours`; `not_a_block` where nothing is allocated
    /// @par Complexity  a lock; O(pages of the block / 64)
    [[nodiscard]] result<borrowed_page> to_page(const std::byte* place) noexcept {
        const address at = address_of(place);
        const auto block =
            pool_of(place).with([&](pages_pool& all) { return all.block_around(at); });
        if (!block)
            return tl::unexpected(block.error());
        return pages(span_of(block->base, block->bytes)).map([&](page_range all) noexcept {
            return all[static_cast<std::size_t>((at - block->base) / page_bytes_)];
        });
    }

    /// @brief Requests that failed, those with `flags::no_warn` too.
    [[nodiscard]] std::uint64_t failures() const noexcept { return failures_.load(); }
    /// @brief Bytes of blocks.
    [[nodiscard]] std::uint64_t used_bytes() noexcept {
        return pages_.with([](pages_pool& all) { return all.used_bytes(); }) + account_bytes();
    }
    /// @brief Bytes of blocks that were allocated with `flags::account`.
    [[nodiscard]] std::uint64_t account_bytes() const noexcept { return account_bytes_.load(); }
    /// @brief How wishes for a node were met so far.
    [[nodiscard]] const node_placement& placement() const noexcept { return placement_; }

    static constexpr std::uint64_t default_step_bytes = std::uint64_t{1} << 36;

  private:
    [[nodiscard]] static pool_options beneath(const heap_options& options) noexcept {
        return {.name = options.name,
                .growth = growth_policy::refill(options.step_bytes),
                .cap_bytes = options.cap_bytes,
                .on_misuse = options.on_misuse,
                .metadata = options.metadata};
    }
    [[nodiscard]] order_granule granule() const noexcept {
        return order_granule(static_cast<unsigned>(std::countr_zero(page_bytes_)));
    }

    // Who has a charged block knows that the account is not empty: the others need not look.
    [[nodiscard]] bool is_charged(const std::byte* place) noexcept {
        return account_bytes_.load(std::memory_order_relaxed) != 0 &&
               charged_pages_.owns(reinterpret_cast<address>(place));
    }
    [[nodiscard]] locked<pages_pool>& pool_of(const std::byte* block) noexcept {
        return is_charged(block) ? charged_pages_ : pages_;
    }
    [[nodiscard]] bool charge(std::uint64_t bytes) noexcept {
        std::uint64_t before = account_bytes_.load(std::memory_order_relaxed);
        do {
            if (bytes > options_.account_cap_bytes || before > options_.account_cap_bytes - bytes)
                return false;
        } while (!account_bytes_.compare_exchange_weak(before, before + bytes,
                                                       std::memory_order_relaxed));
        return true;
    }
    void discharge(std::uint64_t bytes) noexcept {
        account_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint64_t whole_pages(std::uint64_t bytes) const noexcept {
        return align_up<std::uint64_t>(bytes, page_bytes_);
    }
    /// The alignment of a new place: large blocks lie so that tables of pages can move as a whole.
    [[nodiscard]] std::uint64_t place_of(const layout& wanted) const noexcept {
        constexpr std::uint64_t table_reach = std::uint64_t{2} << 20;
        return std::max(wanted.alignment, wanted.bytes < table_reach ? page_bytes_ : table_reach);
    }
    [[nodiscard]] static errc flaw(const layout& wanted, numa_node node) noexcept {
        if (!wanted.valid())
            return errc::bad_alignment;
        if (wanted.bytes > static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()))
            return errc::too_large;
        return node.number < -1 || node.number >= numa_node::limit ? errc::bad_argument : errc{};
    }

    [[nodiscard]] result<std::span<std::byte>> fresh(const layout& wanted, alloc_flags flags,
                                                     numa_node node) noexcept {
        if (const errc wrong = flaw(wanted, node); wrong != errc{})
            return fail(wrong);
        if (!flags.contains(flags::may_block))
            return fail(errc::out_of_memory);
        const bool charged = flags.contains(flags::account);
        if (charged && !charge(whole_pages(wanted.bytes)))
            return fail(errc::over_limit);
        const auto got =
            (charged ? charged_pages_ : pages_).allocate(wanted.bytes, place_of(wanted));
        if (!got) {
            if (charged)
                discharge(whole_pages(wanted.bytes));
            return tl::unexpected(got.error());
        }
        if (node != no_node)
            placement_.place({*got, whole_pages(wanted.bytes)}, node);
        clean({*got, whole_pages(wanted.bytes)});
        return span_of(*got, wanted.bytes);
    }

    [[nodiscard]] result<std::span<std::byte>> changed(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node node) noexcept {
        if (const errc wrong = flaw(wanted, node); wrong != errc{})
            return fail(wrong);
        const address there = address_of(old);
        const std::uint64_t before = whole_pages(old_layout.bytes);
        const std::uint64_t after = whole_pages(wanted.bytes);
        const bool lies_well = there % wanted.alignment == 0;
        const bool may_change = flags.contains(flags::may_block);
        if (!may_change && (after > before || !lies_well))
            return fail(errc::out_of_memory);
        const bool charged = is_charged(old);
        if (charged && after > before && !charge(after - before))
            return fail(errc::over_limit);
        const auto now =
            (charged ? charged_pages_ : pages_).with([&](pages_pool& all) -> result<address> {
                if (lies_well) {
                    const auto stays = all.resize(there, old_layout.bytes, wanted.bytes);
                    if (stays || stays.error().code != errc::no_room)
                        return stays.map([&]() noexcept { return there; });
                }
                if constexpr (backing_can_move_pages<Backing>)
                    return all.relocate(there, old_layout.bytes, wanted.bytes, place_of(wanted));
                else
                    return copied(all, there, old_layout.bytes, wanted);
            });
        if (!now) {
            if (charged && after > before)
                discharge(after - before);
            return tl::unexpected(now.error());
        }
        if (charged && after < before)
            discharge(before - after);
        if (node != no_node && after > before)
            placement_.place({*now + before, after - before}, node);
        if (after > before)
            clean({*now + before, after - before});
        const auto block = span_of(*now, wanted.bytes);
        // Whole pages that are new are 0 already.
        if (flags.contains(flags::zero) && old_layout.bytes < wanted.bytes)
            std::memset(
                block.data() + old_layout.bytes, 0,
                static_cast<std::size_t>(std::min(wanted.bytes, before) - old_layout.bytes));
        return block;
    }

    /// Where pages cannot move, what they hold does.
    [[nodiscard]] result<address> copied(pages_pool& all, address block, std::uint64_t old_bytes,
                                         const layout& wanted) noexcept {
        // What is no block is not read.
        if (const auto is_block = all.resize(block, old_bytes, old_bytes); !is_block)
            return tl::unexpected(is_block.error());
        const auto fresh = all.allocate(wanted.bytes, place_of(wanted));
        if (!fresh)
            return fresh;
        const auto kept =
            static_cast<std::size_t>(std::min(whole_pages(old_bytes), whole_pages(wanted.bytes)));
        std::memcpy(reinterpret_cast<void*>(*fresh), reinterpret_cast<const void*>(block), kept);
        if (const auto gone = all.deallocate(block, old_bytes); !gone) {
            (void)all.deallocate(*fresh, wanted.bytes);
            return tl::unexpected(gone.error());
        }
        return fresh;
    }

    /// Pages are zero when they are committed, unless an earlier block's could not be given back.
    void clean(range pages) noexcept {
        if (pages_may_be_used_.load(std::memory_order_relaxed)) [[unlikely]]
            std::memset(reinterpret_cast<void*>(pages.base), 0,
                        static_cast<std::size_t>(pages.bytes));
    }

    void give_back(std::byte* block, const layout& of) noexcept {
        if (placement_.is_used()) // the pages' next block has no wish
            placement_.forget({address_of(block), whole_pages(of.bytes)});
        if (is_charged(block)) {
            if (charged_pages_.deallocate(address_of(block), of.bytes))
                discharge(whole_pages(of.bytes));
            return;
        }
        (void)pages_.deallocate(address_of(block), of.bytes);
    }
    [[nodiscard]] static std::span<std::byte> span_of(address block, std::uint64_t bytes) noexcept {
        return {reinterpret_cast<std::byte*>(block), static_cast<std::size_t>(bytes)};
    }

    heap_options options_;
    std::size_t page_bytes_;
    std::atomic<bool> pages_may_be_used_{false};
    locked<pages_pool> pages_;
    locked<pages_pool> charged_pages_; ///< for `flags::account`
    std::atomic<std::uint64_t> account_bytes_{0};
    node_placement placement_;
    std::atomic<std::uint64_t> failures_{0};
};

/// @brief A heap over reserved address space.
using vmalloc_heap = basic_vmalloc_heap<native_addresses>;

/// @brief Serves from the one heap of the process, which never ends. Has no size.
class vmalloc {
  public:
    static constexpr std::size_t min_align = vmalloc_heap::min_align;

    /// @brief The heap; made by the first call, with `default_options` unless it was configured.
    [[nodiscard]] static vmalloc_heap& heap() noexcept { return made(nullptr); }

    [[nodiscard]] static heap_options default_options() noexcept {
        return {.name = "vmalloc", .step_bytes = vmalloc_heap::default_step_bytes};
    }
    /// @brief Makes the heap with options of the program's own: for `main`, before anything
    /// allocates here. What they refer to must never end.
    /// @par Errors  `outstanding` where the heap is there already, and stays as it is
    [[nodiscard]] static result<void> configure(const heap_options& options) noexcept {
        const heap_options* wanted = &options;
        (void)made(&wanted);
        return wanted == nullptr ? result<void>() : fail(errc::outstanding);
    }

    [[nodiscard]] static result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                              const layout& old_layout,
                                                              alloc_flags flags,
                                                              numa_node node) noexcept {
        return heap().realloc(old, wanted, old_layout, flags, node);
    }
    [[nodiscard]] static bool owns(const std::byte* place) noexcept { return heap().owns(place); }
    [[nodiscard]] static std::size_t page_bytes() noexcept { return heap().page_bytes(); }
    /// @brief See `basic_vmalloc_heap::to_page`.
    [[nodiscard]] static result<borrowed_page> to_page(const std::byte* place) noexcept {
        return heap().to_page(place);
    }
    friend bool operator==(vmalloc, vmalloc) = default;

  private:
    /// @param options  null, or those of a heap that is not there yet, set to null when it is made.
    [[nodiscard]] static vmalloc_heap& made(const heap_options** options) noexcept {
        alignas(vmalloc_heap) static std::byte storage[sizeof(vmalloc_heap)];
        static vmalloc_heap& it = *::new (static_cast<void*>(storage)) vmalloc_heap(
            options == nullptr ? default_options() : *std::exchange(*options, nullptr));
        return it;
    }
};

static_assert(page_allocator<vmalloc> && allocator_handle<vmalloc>);
static_assert(page_allocator<vmalloc_heap> && !allocator_handle<vmalloc_heap>);

} // namespace palloc::inline v0
