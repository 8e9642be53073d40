// SPDX-License-Identifier: MIT
/// @file
/// @brief kmalloc: blocks of size classes from slabs, physically contiguous where the backing is.
///
/// | request                             | answer                                                |
/// |-------------------------------------|-------------------------------------------------------|
/// | any size up to `max_bytes`          | padded to its alignment, from the class that holds it; the span has the padded size |
/// | any alignment                       | from a class whose blocks lie so, above 4096 whole pages |
/// | larger                              | `too_large`                                           |
/// | `realloc`, the block's class holds it | stays, and never shrinks                            |
/// | it does not, or is not aligned so   | new block, copy, free; the old one stays on failure   |
/// | `shrink`                            | to a smaller class, if there is one                   |
/// | a node                              | for new blocks; a block that stays does not move. Where it cannot be had, from anywhere: `placement` |
///
/// The class of a block is known by its address, so that it can be freed with any layout that it
/// was last reallocated to; what is no block, or too small for the layout, is misuse. Magazines,
/// which the handle `kmalloc` uses, believe that an address of a class is a block's: one inside of
/// a block, or a block freed twice, is found out when it reaches the pool, if at all. A heap is
/// made of compartments, each a composition of pools: for ordinary blocks, for those with
/// `flags::account` (with a limit of its own), for each node, and the reserve for
/// `flags::may_reserve`.
///
/// @par Thread safety  any thread; no signal handler. `flags::atomic` and `nowait` map nothing, but
/// may wait for a thread that does.
/// Source: krealloc of the Linux kernel; the classes are those of `size_class_grid`.
#pragma once

#include <palloc/algorithms/best_fit.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/kalloc/detail/compartment.hpp>
#include <palloc/kalloc/detail/mapping_gate.hpp>
#include <palloc/kalloc/detail/marked.hpp>
#include <palloc/kalloc/detail/page_map.hpp>
#include <palloc/kalloc/detail/stocked_books.hpp>
#include <palloc/kalloc/heap_options.hpp>
#include <palloc/kalloc/node_placement.hpp>
#include <palloc/pool_options.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief A heap of its own.
/// @tparam Backing  where slabs and large blocks come from; copied for each compartment.
template <backing_can_map Backing>
    requires memory_may_be_touched<Backing>
class basic_kmalloc_heap {
    using compartment = detail::compartment<Backing>;

  public:
    static constexpr std::size_t min_align = 16;
    static constexpr std::uint64_t max_bytes = std::uint64_t{4} << 20;

    /// @brief Free blocks that one thread keeps for itself.
    using magazines = typename compartment::magazines;

    /// @brief Cannot fail: what is mapped is mapped by the first calls.
    explicit basic_kmalloc_heap(const heap_options& options = {},
                                Backing backing = Backing()) noexcept
        : options_(options), books_(options.metadata), pages_(books_),
          backing_(std::move(backing)) {
        if (options.reserve_bytes != 0)
            (void)fill_reserve();
    }
    basic_kmalloc_heap(const basic_kmalloc_heap&) = delete;
    basic_kmalloc_heap& operator=(const basic_kmalloc_heap&) = delete;
    ~basic_kmalloc_heap() {
        for (auto& each : compartments_)
            if (compartment* const there = each.load(std::memory_order_relaxed))
                drop(there);
    }

    /// @brief The one primitive: see `typed_allocator` and the table above.
    /// @par Errors  `bad_alignment`; `too_large`; `bad_argument`, a node that no machine has;
    ///   `out_of_memory`, also where the flags do not let the heap grow; `over_limit`; those of the
    ///   backing. The old block is as it was.
    /// @par Complexity  a class's magazine: O(1); a copy where the block moves
    [[nodiscard]] result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node node) noexcept {
        return realloc_through(nullptr, old, wanted, old_layout, flags, node);
    }
    /// @brief The same; blocks come from, and go to, the calling thread's magazines first.
    /// @param mine  null, or made by `make_magazines`
    // Inlined where `alloc` and `free` are called, which then are a stack's pop and push.
    [[nodiscard]] [[gnu::always_inline]] result<std::span<std::byte>>
    realloc_through(magazines* mine, std::byte* old, const layout& wanted, const layout& old_layout,
                    alloc_flags flags, numa_node node) noexcept {
        if (mine != nullptr) [[likely]] {
            compartment& here = *compartments_[ordinary_number].load(std::memory_order_acquire);
            if (old_layout.bytes == 0 && is_plain(wanted, flags, node)) [[likely]] {
                const auto padded =
                    static_cast<std::size_t>(align_up(wanted.bytes, wanted.alignment));
                if (auto&& got = here.take(*mine, padded)) [[likely]]
                    return std::span(reinterpret_cast<std::byte*>(*got), padded);
            } else if (wanted.bytes == 0 && old_layout.bytes != 0 && wanted.valid()) {
                constexpr auto first = detail::page_code::of(ordinary_number, 1);
                const std::size_t size_class = std::size_t{pages_.at(address_of(old))} - first;
                if (compartment::holds(size_class, old_layout.bytes)) [[likely]] {
                    here.deallocate(*mine, address_of(old), size_class);
                    return std::span<std::byte>(dangling(wanted.alignment), 0);
                }
            }
        }
        return realloc_in_full(mine, old, wanted, old_layout, flags, node);
    }

    /// @brief `realloc` to a size that is not larger, into a smaller class if there is one.
    /// @par Errors  as `realloc`
    [[nodiscard]] result<std::span<std::byte>> shrink(std::byte* old, const layout& wanted,
                                                      const layout& old_layout,
                                                      alloc_flags flags) noexcept {
        if (wanted.bytes != 0 && old_layout.bytes != 0 && wanted.valid()) {
            const auto there = usable_bytes(old);
            const auto padded = wanted.padded();
            if (there && padded && compartment::rounded(*padded) < *there)
                return moved(nullptr, old, wanted, old_layout, flags, no_node);
        }
        return realloc(old, wanted, old_layout, flags, no_node);
    }

    /// @brief Bytes that a block may use: those of its class.
    /// @par Errors  `not_ours`; `not_a_block` and `double_free` of large blocks
    [[nodiscard]] result<std::uint64_t> usable_bytes(const std::byte* block) noexcept {
        const auto code = pages_.at(address_of(block));
        if (code == 0)
            return fail(errc::not_ours);
        if (const std::size_t size_class = detail::page_code::class_plus_one(code))
            return compartment::class_bytes(size_class - 1);
        return part(code).large_bytes(address_of(block));
    }
    /// @brief Whether a page of the heap contains the address. Takes no lock.
    [[nodiscard]] bool owns(const std::byte* place) const noexcept {
        return pages_.at(address_of(place)) != 0;
    }

    /// @brief Empty magazines for one thread.
    /// @par Errors  those of the books
    [[nodiscard]] result<magazines*> make_magazines() noexcept {
        if (const auto there = make(ordinary_number, no_node); !there)
            return tl::unexpected(there.error());
        return options_.metadata.take(sizeof(magazines)).map([](std::byte* storage) noexcept {
            return ::new (static_cast<void*>(storage)) magazines;
        });
    }
    /// @brief Gives the blocks in magazines back, and ends them.
    void end_magazines(magazines* mine) noexcept {
        if (auto* const it = compartments_[ordinary_number].load(std::memory_order_acquire))
            it->flush(*mine);
        mine->~magazines();
        options_.metadata.give_back(reinterpret_cast<std::byte*>(mine), sizeof(magazines));
    }

    /// @brief Maps the reserve, if it is not there yet, so that `flags::may_reserve` can be served
    /// from it.
    /// @par Errors  those of the backing and of the books
    [[nodiscard]] result<void> fill_reserve() noexcept {
        const auto reserve = make(reserve_number, no_node);
        if (!reserve)
            return tl::unexpected(reserve.error());
        return (*reserve)->have(options_.reserve_bytes);
    }

    /// @brief Requests that failed, those with `flags::no_warn` too.
    [[nodiscard]] std::uint64_t failures() const noexcept { return failures_.load(); }
    /// @brief How wishes for a node were met so far.
    [[nodiscard]] const node_placement& placement() const noexcept { return placement_; }
    /// @brief Bytes that are mapped for blocks with `flags::account`.
    [[nodiscard]] std::uint64_t account_bytes() noexcept {
        compartment* const it = compartments_[number_of(flags::account, no_node)].load();
        return it == nullptr ? 0 : it->mapped_bytes();
    }
    /// @brief Bytes that are mapped for all blocks.
    [[nodiscard]] std::uint64_t mapped_bytes() noexcept {
        std::uint64_t sum = 0;
        for (auto& each : compartments_)
            if (compartment* const there = each.load(std::memory_order_acquire))
                sum += there->mapped_bytes();
        return sum;
    }

  private:
    static constexpr std::size_t most_nodes = 64;
    static constexpr std::size_t reserve_number = 0;
    static constexpr std::size_t ordinary_number = 1;
    static constexpr std::size_t compartment_count = 1 + 2 * (most_nodes + 1);

    [[nodiscard]] static bool lies_at(const std::byte* block, std::uint64_t alignment) noexcept {
        return (address_of(block) & (alignment - 1)) == 0;
    }
    [[nodiscard]] static std::size_t number_of(alloc_flags flags, numa_node node) noexcept {
        return 1 + 2 * static_cast<std::size_t>(node.number + 1) +
               (flags.contains(flags::account) ? 1 : 0);
    }

    /// Of a class, and nothing special about it.
    [[nodiscard]] static bool is_plain(const layout& wanted, alloc_flags flags,
                                       numa_node node) noexcept {
        constexpr alloc_flags special = flags::may_block | flags::account | flags::zero;
        return wanted.bytes - 1 < compartment::largest_small && wanted.alignment - 1 < min_align &&
               wanted.valid() && node == no_node && (flags & special) == flags::may_block;
    }

    [[nodiscard]] [[gnu::noinline]] result<std::span<std::byte>>
    realloc_in_full(magazines* mine, std::byte* old, const layout& wanted, const layout& old_layout,
                    alloc_flags flags, numa_node node) noexcept {
        if (!wanted.valid()) [[unlikely]]
            return refuse(errc::bad_alignment, wanted, flags);
        if (wanted.bytes != 0 && (node.number < -1 || node.number >= numa_node::limit)) [[unlikely]]
            return refuse(errc::bad_argument, wanted, flags);
        if (old_layout.bytes == 0 || old == nullptr) {
            if (wanted.bytes == 0)
                return std::span<std::byte>(dangling(wanted.alignment), 0);
            return fresh(mine, wanted, 0, flags, node);
        }
        if (wanted.bytes == 0) {
            give_back(mine, old, old_layout);
            return std::span<std::byte>(dangling(wanted.alignment), 0);
        }
        const auto there = usable_bytes(old);
        if (!there || *there < old_layout.bytes)
            return report(there ? errc::wrong_size : there.error().code, old, old_layout);
        const auto padded = wanted.padded();
        if (padded && padded->bytes <= *there && lies_at(old, wanted.alignment))
            return zeroed({old, static_cast<std::size_t>(padded->bytes)}, old_layout.bytes, flags);
        return moved(mine, old, wanted, old_layout, flags, node);
    }

    [[nodiscard]] static std::span<std::byte> zeroed(std::span<std::byte> block, std::uint64_t kept,
                                                     alloc_flags flags) noexcept {
        if (flags.contains(flags::zero) && kept < block.size())
            std::memset(block.data() + kept, 0, block.size() - static_cast<std::size_t>(kept));
        return block;
    }

    /// A new block of which the first `kept` bytes are not to be zeroed.
    [[nodiscard]] result<std::span<std::byte>> fresh(magazines* mine, const layout& wanted,
                                                     std::uint64_t kept, alloc_flags flags,
                                                     numa_node node) noexcept {
        const auto padded = wanted.padded();
        if (!padded || padded->bytes > max_bytes) [[unlikely]]
            return refuse(errc::too_large, wanted, flags);
        auto&& got = block_of(mine, *padded, flags, node);
        if (!got) [[unlikely]]
            return refuse(got.error(), wanted, flags);
        return zeroed({reinterpret_cast<std::byte*>(*got), static_cast<std::size_t>(padded->bytes)},
                      kept, flags);
    }

    [[nodiscard]] result<address> block_of(magazines* mine, const layout& padded, alloc_flags flags,
                                           numa_node node) noexcept {
        if (mine != nullptr && node == no_node && !flags.contains(flags::account)) [[likely]]
            if (compartment* const it =
                    compartments_[ordinary_number].load(std::memory_order_acquire)) [[likely]] {
                const detail::mapping_gate gate(flags.contains(flags::may_block));
                auto got = it->allocate(*mine, padded);
                if (got || !flags.contains(flags::may_reserve)) [[likely]]
                    return got;
            }
        return block_of(padded, flags, node);
    }
    [[nodiscard]] [[gnu::noinline]] result<address>
    block_of(const layout& padded, alloc_flags flags, numa_node node) noexcept {
        const detail::mapping_gate gate(flags.contains(flags::may_block));
        auto got = block_on(padded, flags, node);
        if (!got && node != no_node) {
            placement_.miss(got.error());
            got = block_on(padded, flags, no_node);
        }
        if (got || !flags.contains(flags::may_reserve)) [[likely]]
            return got;
        compartment* const reserve = compartments_[reserve_number].load(std::memory_order_acquire);
        return reserve == nullptr ? got : reserve->allocate_uncached(padded);
    }
    [[nodiscard]] result<address> block_on(const layout& padded, alloc_flags flags,
                                           numa_node node) noexcept {
        if (node.number >= static_cast<std::int32_t>(most_nodes)) [[unlikely]]
            return fail(errc::not_supported);
        const std::size_t number = number_of(flags, node);
        if (compartment* const it = compartments_[number].load(std::memory_order_acquire))
            [[likely]]
            return it->allocate(padded);
        const auto made = make(number, node);
        return made ? (*made)->allocate(padded) : tl::unexpected(made.error());
    }

    [[nodiscard]] [[gnu::noinline]] result<std::span<std::byte>>
    moved(magazines* mine, std::byte* old, const layout& wanted, const layout& old_layout,
          alloc_flags flags, numa_node node) noexcept {
        const auto got = fresh(mine, wanted, old_layout.bytes, flags, node);
        if (!got)
            return got;
        std::memcpy(got->data(), old,
                    static_cast<std::size_t>(std::min(wanted.bytes, old_layout.bytes)));
        give_back(mine, old, old_layout);
        return got;
    }

    void give_back(magazines* mine, std::byte* block, const layout& of) noexcept {
        const auto code = pages_.at(address_of(block));
        const std::size_t size_class = detail::page_code::class_plus_one(code);
        if (size_class != 0 && compartment::class_bytes(size_class - 1) >= of.bytes) [[likely]] {
            compartment& it = part(code);
            if (mine != nullptr && detail::page_code::compartment(code) == ordinary_number)
                [[likely]]
                return it.deallocate(*mine, address_of(block), size_class - 1);
            const detail::mapping_gate shut(false); // a free never needs memory
            if (detail::page_code::compartment(code) == reserve_number)
                return it.deallocate_uncached(address_of(block), size_class - 1);
            return it.deallocate(address_of(block), size_class - 1);
        }
        if (code == 0 || size_class != 0) [[unlikely]]
            return (void)report(code == 0 ? errc::not_ours : errc::wrong_size, block, of);
        part(code).deallocate_large(address_of(block));
    }

    [[nodiscard]] compartment& part(detail::page_map::code code) noexcept {
        return *compartments_[detail::page_code::compartment(code)].load(std::memory_order_acquire);
    }

    [[nodiscard]] [[gnu::noinline]] result<compartment*> make(std::size_t number,
                                                              numa_node node) noexcept {
        const std::lock_guard alone(making_);
        compartment* there = compartments_[number].load(std::memory_order_acquire);
        if (there != nullptr)
            return there;
        if (detail::mapping_is_barred)
            return fail(errc::out_of_memory);
        const auto storage = options_.metadata.take(sizeof(compartment));
        if (!storage)
            return tl::unexpected(storage.error());
        there = ::new (static_cast<void*>(*storage))
            compartment(options_of(number, node),
                        detail::compartment_backing(backing_, pages_, placement_, number));
        compartments_[number].store(there, std::memory_order_release);
        return there;
    }
    void drop(compartment* it) noexcept {
        it->~compartment();
        options_.metadata.give_back(reinterpret_cast<std::byte*>(it), sizeof(compartment));
    }

    [[nodiscard]] pool_options options_of(std::size_t number, numa_node node) noexcept {
        const bool reserve = number == reserve_number;
        const bool charged = !reserve && number % 2 == 0;
        return {.name = options_.name,
                .growth = growth_policy::refill(reserve ? 0 : options_.step_bytes),
                .cap_bytes = charged ? options_.account_cap_bytes : options_.cap_bytes,
                .node = node,
                .on_misuse = options_.on_misuse,
                .metadata = books_};
    }

    [[gnu::noinline]] tl::unexpected<error> refuse(error why, const layout& wanted,
                                                   alloc_flags flags) noexcept {
        failures_.fetch_add(1, std::memory_order_relaxed);
        if (!flags.contains(flags::no_warn) && options_.on_failure.handler != nullptr)
            options_.on_failure.handler(options_.on_failure.context, {why, wanted, flags});
        return tl::unexpected(why);
    }
    [[gnu::noinline]] tl::unexpected<error> refuse(errc why, const layout& wanted,
                                                   alloc_flags flags) noexcept {
        return refuse(error{why}, wanted, flags);
    }
    [[gnu::noinline]] tl::unexpected<error> report(errc what, const std::byte* block,
                                                   const layout& of) noexcept {
        options_.on_misuse.handler(options_.on_misuse.context,
                                   {what, {address_of(block), of.bytes}, options_.name});
        return fail(what);
    }

    heap_options options_;
    detail::stocked_books books_;
    detail::page_map pages_;
    node_placement placement_;
    Backing backing_;
    std::mutex making_;
    std::array<std::atomic<compartment*>, compartment_count> compartments_{};
    std::atomic<std::uint64_t> failures_{0};
};

} // namespace palloc::inline v0
