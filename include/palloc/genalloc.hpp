// SPDX-License-Identifier: MIT
/// @file
/// @brief genalloc: the kernel's general-purpose pool of address ranges, in user space.
///
/// When to choose it: memory that is not the program's to touch (a device's, another processor's),
/// or code that was written for the kernel's gen_pool. Costs: those of the pool with a bit for each
/// granule of 2^order bytes; nothing else is added. docs/genalloc.md has the table of names.
///
/// It is the pool, with the kernel's vocabulary: any free granules may be given back, in whatever
/// pieces. Over `atomic`, which is what `genalloc` means, every call but construction and
/// destruction may come from any thread, and all but those that add memory from a signal handler.
///
/// Source: the behaviour of lib/genalloc.c (6.1 to 6.17).
#pragma once

#include <palloc/algorithms/any_algorithm.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/range.hpp>
#include <palloc/genalloc/detail/dma_fit.hpp>
#include <palloc/genalloc/options.hpp>
#include <palloc/granularities/order_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief Hands out granules of lent address ranges, each block where the kernel would place it.
/// @tparam Bitmap     how granules are tracked; decides whether threads may share the pool
/// @tparam Touchable  whether the ranges are memory of this process; only then can they be zeroed
template <chunk_bitmap Bitmap, bool Touchable = false>
class basic_genalloc {
  public:
    using pool_type =
        pool<order_granule, basic_borrowed<Touchable>, Bitmap, any_algorithm<Bitmap>, unprotected>;
    using chunk = typename pool_type::chunk;

    /// @brief The chunks that are added so have no physical address.
    static constexpr address no_physical = basic_borrowed<Touchable>::no_physical;

    /// @brief An empty pool, which places at the lowest fit.
    /// @pre  `options.order` < 64; a breach is misuse, and 63 is taken.
    explicit basic_genalloc(const genalloc_options& options = {}) noexcept
        : pool_(options.for_pool(), order_granule(options.order < 64 ? options.order : 63)),
          behaviour_(options.behaviour) {
        if (options.order >= 64)
            options.on_misuse.handler(options.on_misuse.context,
                                      {errc::bad_argument, {}, options.name});
    }

    // ---------------------------------------------------------------- memory

    /// @brief Lends a range to the pool, as its newest chunk; chunks are asked newest first. What a
    /// range has beyond whole granules counts as available, and is never handed out.
    /// @par Errors  `bad_argument`: it runs past 2^64; `zero_size` and `overlap`, unless quirks are
    ///   the kernel's; those of the metadata provider. Nothing changed.
    /// @par Complexity  O(chunks)
    result<void> add(address base, std::uint64_t bytes) noexcept {
        return add_owner(base, no_physical, bytes, nullptr);
    }
    /// @brief The same with the physical address of its first byte.
    result<void> add_virt(address base, address physical, std::uint64_t bytes) noexcept {
        return add_owner(base, physical, bytes, nullptr);
    }
    /// @brief The same with an owner, which the calls whose name says so tell again.
    result<void> add_owner(address base, address physical, std::uint64_t bytes,
                           void* owner) noexcept {
        return pool_.add({.where = {base, bytes}, .physical = physical, .owner = owner})
            .map([](range) {});
    }

    // ---------------------------------------------------------------- blocks

    /// @brief A block of `bytes` bytes, placed by the pool's algorithm.
    /// @par Errors  `zero_size`, `out_of_memory`
    /// @par Complexity  the algorithm's search in each chunk that is not full, plus O(granules /
    /// 64)
    [[nodiscard]] result<address> alloc(std::uint64_t bytes) noexcept {
        return place(bytes, pool_.algorithm());
    }
    /// @brief The same with another algorithm, for this request only.
    /// @par Errors  also `bad_alignment`: one of `first_fit_align` that is no power of two, unless
    /// quirks are the kernel's
    template <class Algorithm>
        requires algorithm_for<std::remove_cvref_t<Algorithm>, Bitmap>
    [[nodiscard]] result<address> alloc(std::uint64_t bytes, Algorithm&& algorithm) noexcept {
        return place(bytes, algorithm);
    }

    /// @brief The same; `owner` is then that of the chunk, null where the call fails.
    [[nodiscard]] result<address> alloc_owner(std::uint64_t bytes, void*& owner) noexcept {
        return alloc_owner(bytes, pool_.algorithm(), owner);
    }
    template <class Algorithm>
        requires algorithm_for<std::remove_cvref_t<Algorithm>, Bitmap>
    [[nodiscard]] result<address> alloc_owner(std::uint64_t bytes, Algorithm&& algorithm,
                                              void*& owner) noexcept {
        const auto block = place(bytes, algorithm);
        owner = block ? owner_of(*block) : nullptr;
        return block;
    }

    /// @brief Gives `bytes` bytes from `block` on back: a block, a part of one, or several
    /// neighbours. Nothing, inside a chunk, is given back without further ado.
    /// @par Errors  misuse: `not_ours`, `past_the_end`, `double_free`, `not_a_block` (no multiple
    /// of the granule; the kernel rounds down)
    /// @par Complexity  as `pool::deallocate`
    result<void> free(address block, std::uint64_t bytes) noexcept {
        if (bytes != 0 && behaviour_ == quirks::repaired) [[likely]]
            return pool_.deallocate(block, bytes);
        const chunk* const c = pool_.find(block);
        if (c == nullptr)
            return pool_.deallocate(block, bytes);
        if (behaviour_ == quirks::repaired)
            return {};
        const bool inside = block + (bytes - 1) <= last_of(*c);
        if (inside && kernel_count(bytes) == 0)
            return {};
        const std::uint64_t beyond_granule = (block - c->where.base) % granule().bytes();
        return pool_.deallocate(inside ? block - beyond_granule : block, bytes);
    }
    /// @brief The same; `owner` is then that of the chunk, null where no chunk contains the block.
    result<void> free_owner(address block, std::uint64_t bytes, void*& owner) noexcept {
        owner = owner_of(block);
        return free(block, bytes);
    }

    // ---------------------------------------------------------------- blocks for devices

    /// @brief A block with its physical address, within what the device can reach. Chunks without a
    /// physical address do not serve.
    /// @par Errors  those of `alloc` with the same algorithm; `bad_argument`: the boundary is no
    ///   power of two
    /// @par Complexity  that of `alloc`, and with a boundary as much for each stretch between two
    /// that has room but none that the algorithm likes
    [[nodiscard]] result<dma_block> dma_alloc(std::uint64_t bytes,
                                              const dma_limits& limits = {}) noexcept {
        return place_for_device(bytes, 1, pool_.algorithm(), limits);
    }
    template <class Algorithm>
        requires algorithm_for<std::remove_cvref_t<Algorithm>, Bitmap>
    [[nodiscard]] result<dma_block> dma_alloc(std::uint64_t bytes, Algorithm&& algorithm,
                                              const dma_limits& limits = {}) noexcept {
        return place_for_device(bytes, 1, algorithm, limits);
    }
    /// @brief The lowest such block whose address (the processor's) is a multiple of `alignment`.
    /// @par Errors  also `bad_alignment`: no power of two
    [[nodiscard]] result<dma_block> dma_alloc_align(std::uint64_t bytes, std::uint64_t alignment,
                                                    const dma_limits& limits = {}) noexcept {
        if (behaviour_ == quirks::kernel)
            return place_for_device(bytes, 1, first_fit_align(static_cast<std::int32_t>(alignment)),
                                    limits);
        return place_for_device(bytes, alignment, first_fit{}, limits);
    }

    /// @brief The same three, and the `bytes` bytes asked for are zero; what the last granule has
    /// beyond them is as it was.
    [[nodiscard]] result<dma_block> dma_zalloc(std::uint64_t bytes,
                                               const dma_limits& limits = {}) noexcept
        requires Touchable
    {
        return dma_alloc(bytes, limits).map(zero(bytes));
    }
    template <class Algorithm>
        requires(Touchable && algorithm_for<std::remove_cvref_t<Algorithm>, Bitmap>)
    [[nodiscard]] result<dma_block> dma_zalloc(std::uint64_t bytes, Algorithm&& algorithm,
                                               const dma_limits& limits = {}) noexcept {
        return dma_alloc(bytes, algorithm, limits).map(zero(bytes));
    }
    [[nodiscard]] result<dma_block> dma_zalloc_align(std::uint64_t bytes, std::uint64_t alignment,
                                                     const dma_limits& limits = {}) noexcept
        requires Touchable
    {
        return dma_alloc_align(bytes, alignment, limits).map(zero(bytes));
    }

    // ---------------------------------------------------------------- settings and queries

    /// @brief Requests that name no algorithm are placed by `choice` from now on. It is not copied.
    /// @pre  As for `any_algorithm::set`: it outlives the pool, or its last use.
    /// @par Thread safety  any thread, while others allocate
    void set_algo(const algorithm_choice<Bitmap>& choice) noexcept {
        pool_.algorithm().set(choice);
    }
    /// @brief Back to the lowest fit.
    void set_algo() noexcept { pool_.algorithm().reset(); }

    /// @brief Calls `f(chunk)` for every chunk, newest first. `f` must not add chunks.
    template <std::invocable<const chunk&> F>
    void for_each_chunk(F&& f) const {
        pool_.for_each_chunk(std::forward<F>(f));
    }

    /// @brief Bytes not handed out, those beyond the last whole granule of a chunk included.
    /// O(chunks).
    [[nodiscard]] std::uint64_t avail() const noexcept {
        std::uint64_t total = 0;
        for_each_chunk([&](const chunk& c) {
            total += c.where.bytes - granule().offset(c.map.size() - c.map.free_count());
        });
        return total;
    }
    /// @brief Bytes lent to the pool.
    [[nodiscard]] std::uint64_t size() const noexcept { return pool_.mapped_bytes(); }

    /// @brief Whether a chunk contains the byte at `place`.
    [[nodiscard]] bool owns(address place) const noexcept { return pool_.owns(place); }

    /// @brief Whether one chunk contains all of the range.
    [[nodiscard]] bool has_addr(address start, std::uint64_t bytes) const noexcept {
        if (behaviour_ == quirks::repaired) {
            const chunk* const c = pool_.find(start);
            return c != nullptr && c->where.contains(range{start, bytes});
        }
        bool found = false;
        for_each_chunk([&](const chunk& c) {
            found = found || (kernel_contains(c, start) && start + (bytes - 1) <= last_of(c));
        });
        return found;
    }

    /// @brief The physical address of the byte at `place`.
    /// @par Errors  `not_ours`; `not_supported`: its chunk has none (the kernel computes one)
    [[nodiscard]] result<address> virt_to_phys(address place) const noexcept {
        if (behaviour_ == quirks::repaired) {
            const chunk* const c = pool_.find(place);
            return c == nullptr ? fail(errc::not_ours) : pool_.backing().physical(c->source, place);
        }
        std::optional<address> found;
        for_each_chunk([&](const chunk& c) {
            if (!found && kernel_contains(c, place))
                found = c.source.physical + (place - c.where.base);
        });
        return found ? result<address>(*found) : fail(errc::not_ours);
    }

    /// @brief The pool beneath: for bridges, views, `explain`, statistics of misuse.
    [[nodiscard]] pool_type& as_pool() noexcept { return pool_; }
    [[nodiscard]] const pool_type& as_pool() const noexcept { return pool_; }

  private:
    using request = typename pool_type::request;

    template <class Algorithm>
    [[nodiscard]] result<address> place(std::uint64_t bytes, Algorithm& algorithm) noexcept {
        if (behaviour_ == quirks::kernel) {
            if (bytes != 0 && kernel_count(bytes) == 0) [[unlikely]]
                return place_no_granules(bytes, algorithm);
        } else if (!has_alignment(algorithm)) {
            return fail(errc::bad_alignment);
        }
        return pool_.allocate_with(request{.bytes = bytes}, algorithm);
    }

    template <class Algorithm>
    [[nodiscard]] static bool has_alignment([[maybe_unused]] const Algorithm& algorithm) noexcept {
        if constexpr (requires { algorithm.alignment(); })
            return is_power_of_two(algorithm.alignment());
        else
            return true;
    }

    template <class Algorithm>
    [[nodiscard]] result<dma_block> place_for_device(std::uint64_t bytes, std::uint64_t alignment,
                                                     Algorithm&& algorithm,
                                                     const dma_limits& limits) noexcept {
        const bool limited = limits.mask != ~address{0} || limits.boundary != 0;
        if (behaviour_ == quirks::kernel && !limited)
            return place(bytes, algorithm).and_then([this](address block) {
                return with_physical(block);
            });
        if (behaviour_ == quirks::repaired && !has_alignment(algorithm))
            return fail(errc::bad_alignment);
        if (limits.boundary != 0 && !is_power_of_two(limits.boundary))
            return fail(errc::bad_argument);
        using asked =
            std::conditional_t<pool_type::is_concurrent, const std::remove_reference_t<Algorithm>,
                               std::remove_reference_t<Algorithm>>;
        const detail::dma_fit<pool_type, asked> reachable(pool_, algorithm, limits);
        return pool_.allocate_with(request{.bytes = bytes, .alignment = alignment}, reachable)
            .and_then([this](address block) { return with_physical(block); });
    }

    [[nodiscard]] result<dma_block> with_physical(address block) const noexcept {
        return virt_to_phys(block).map(
            [block](address physical) { return dma_block{block, physical}; });
    }

    [[nodiscard]] static auto zero(std::uint64_t bytes) noexcept {
        return [bytes](dma_block block) {
            std::memset(reinterpret_cast<void*>(block.where), 0, static_cast<std::size_t>(bytes));
            return block;
        };
    }

    [[nodiscard]] const order_granule& granule() const noexcept { return pool_.granule(); }

    [[nodiscard]] void* owner_of(address place) const noexcept {
        const chunk* const c = pool_.find(place);
        return c == nullptr ? nullptr : pool_.backing().owner(c->source);
    }

    // ---------------------------------------------------------------- the kernel's arithmetic

    /// The kernel's count of granules: 0 for sizes within a granule of 2^64, as its sum wraps.
    [[nodiscard]] std::uint64_t kernel_count(std::uint64_t bytes) const noexcept {
        return granule().index(bytes + (granule().bytes() - 1));
    }
    /// The last byte of a chunk; for an empty one the byte before it.
    [[nodiscard]] static address last_of(const chunk& c) noexcept {
        return c.where.base + (c.where.bytes - 1);
    }
    /// An empty chunk at address 0 contains everything.
    [[nodiscard]] static bool kernel_contains(const chunk& c, address place) noexcept {
        return place >= c.where.base && place <= last_of(c);
    }

    /// A request of so many bytes that the kernel counts no granule for it is answered with a place
    /// where nothing is taken. Only a chunk that is free can have so many bytes available, so that
    /// the place for no granule is that for one.
    template <class Algorithm>
    [[nodiscard]] result<address> place_no_granules(std::uint64_t bytes,
                                                    Algorithm& algorithm) noexcept {
        std::optional<address> found;
        for_each_chunk([&](const chunk& c) {
            if (found || c.where.bytes < bytes || c.map.free_count() != c.map.size())
                return;
            const placement q{.count = 1,
                              .limit = c.map.size(),
                              .base = c.where.base,
                              .granule_bytes = granule().bytes()};
            if (const std::optional<std::size_t> position = algorithm(c.map, q))
                found = c.where.base + granule().offset(*position);
        });
        return found ? result<address>(*found) : fail(errc::out_of_memory);
    }

    pool_type pool_;
    quirks behaviour_;
};

/// @brief The kernel's pool: any thread, any signal handler.
using genalloc = basic_genalloc<atomic>;
/// @brief The same over memory of this process.
using touchable_genalloc = basic_genalloc<atomic, true>;

} // namespace palloc::inline v0
