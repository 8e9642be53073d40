// SPDX-License-Identifier: MIT
/// @file
/// @brief Small blocks from pools of one size each, the rest from a parent that they share.
///
/// When to choose it: blocks of all sizes, most of them small. A small block costs what it costs in
/// a pool of its size, whatever the parent, and wastes no more than the step to the next class.
/// Costs: a bit a block and 0.2 KiB a slab; the part of one slab of each class that is not in use.
/// Large blocks cost what the parent costs.
///
///     bytes, alignment -> the class -> its pool: slabs, carved from the parent
///                      -> none: the parent
///
/// Which of the two is a matter of size and alignment alone, so that a block is given back with the
/// same two to where it came from. Misuse of small blocks is detected as `flat` detects it, and a
/// size of another class too; a small block that is freed with a large size only by a parent whose
/// bitmap knows blocks.
///
/// Source: J. Bonwick, "The Slab Allocator", USENIX 1994; the classes are those of jemalloc.
#pragma once

#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/carved.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/compositions/detail/free_room.hpp>
#include <palloc/compositions/detail/many.hpp>
#include <palloc/compositions/detail/sizes.hpp>
#include <palloc/compositions/size_class_grid.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/pool_options.hpp>
#include <palloc/protections/unprotected.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief What is small, and how much of the parent is taken at a time.
struct size_class_options {
    std::uint64_t largest_bytes = 768;     ///< larger blocks come from the parent
    std::uint64_t first_slab_bytes = 4096; ///< of each class; all slabs lie at multiples of it,
    std::uint64_t slab_bytes = 32768;      ///< and each is twice as large as the last, up to this,
    std::size_t least_blocks = 8;          ///< but large enough for so many blocks
    std::uint64_t largest_alignment = 64;  ///< what is aligned to more comes from the parent
};

/// @tparam Parent  where slabs and large blocks come from.
/// @tparam Grid    the sizes of the classes.
/// @tparam Slabs   how slabs are carved from the parent; made of the parent or, if it wants to
/// know,
///   of the parent and the number of the class.
template <block_allocator Parent, size_class_options Options = size_class_options{},
          class Grid = size_class_grid<>, backing_can_map Slabs = carved<Parent>>
class size_classes {
  public:
    static constexpr bool is_touchable = pool_can_serve_containers<Parent>;
    static constexpr std::size_t class_count = Grid::index(Options.largest_bytes) + 1;

    /// @brief The pool of one class. It gives slabs back late: empty ones, all but one, when they
    /// are an eighth of its slabs.
    using class_pool = pool<sized_granule, Slabs, flat, first_fit, unprotected>;

    /// @param options  the parent's; of the classes' pools only name, misuse and metadata.
    /// @param parts    what the parent is made of besides.
    template <class... Parts>
    explicit size_classes(const pool_options& options, Parts&&... parts)
        : parent_(options, std::forward<Parts>(parts)...),
          classes_(make_classes(options, std::make_index_sequence<class_count>())) {}
    size_classes(const size_classes&) = delete;
    size_classes& operator=(const size_classes&) = delete;

    /// @brief A block.
    /// @par Errors  those of the class's pool, or of the parent
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        const std::size_t i = class_of(bytes, alignment);
        return i < class_count ? classes_[i].allocate(bytes, alignment)
                               : parent_.allocate(bytes, alignment);
    }

    /// @brief Gives a block back; the same size and alignment.
    /// @par Errors  those of the class's pool, or of the parent
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        const std::size_t i = class_of(bytes, alignment);
        return i < class_count ? classes_[i].deallocate(block, bytes, alignment)
                               : parent_.deallocate(block, bytes, alignment);
    }

    [[nodiscard]] std::size_t allocate_many(std::uint64_t bytes, std::uint64_t alignment,
                                            std::span<address> room) noexcept {
        const std::size_t i = class_of(bytes, alignment);
        return i < class_count ? classes_[i].allocate_many(bytes, alignment, room)
                               : detail::allocate_many(parent_, bytes, alignment, room);
    }
    void deallocate_many(std::span<const address> blocks, std::uint64_t bytes,
                         std::uint64_t alignment = 1) noexcept {
        const std::size_t i = class_of(bytes, alignment);
        i < class_count ? classes_[i].deallocate_many(blocks, bytes, alignment)
                        : detail::deallocate_many(parent_, blocks, bytes, alignment);
    }

    /// @brief Bytes that a block asked for with these two may use.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes,
                                             std::uint64_t alignment = 1) const noexcept
        requires detail::tells_sizes<Parent>
    {
        const std::size_t i = class_of(bytes, alignment);
        return i < class_count ? Grid::bytes(i) : detail::usable_bytes(parent_, bytes, alignment);
    }

    /// @brief Makes a block longer or shorter where it is; it is given back with the new size.
    /// @par Errors  `no_room`: also where another class would serve the new size; those of the part
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes,
                        std::uint64_t alignment = 1) noexcept
        requires detail::tells_sizes<Parent>
    {
        const std::size_t i = class_of(old_bytes, alignment);
        if (new_bytes == 0 || i != class_of(new_bytes, alignment))
            return detail::stays_unless(true, new_bytes);
        return i < class_count ? classes_[i].resize(block, old_bytes, new_bytes)
                               : detail::resize(parent_, block, old_bytes, new_bytes, alignment);
    }

    /// @brief Why the request would fail now, see `pool::explain`.
    /// What a small one lacks is what the parent lacks for a slab.
    [[nodiscard]] explanation explain(layout wanted) const noexcept
        requires detail::tells_sizes<Parent>
    {
        const std::size_t i = class_of(wanted.bytes, wanted.alignment);
        if (i == class_count)
            return detail::explain(parent_, wanted);
        const explanation here = classes_[i].explain(
            {.bytes = wanted.bytes, .alignment = wanted.alignment, .may_map = false});
        return here.possible() || here.why == errc::bad_alignment
                   ? here
                   : detail::explain(parent_, {Grid::bytes(i), Options.first_slab_bytes});
    }

    /// @brief Drops every live block at once, and gives all slabs back.
    void reset() noexcept
        requires requires(Parent& p) { p.reset(); }
    {
        for (class_pool& each : classes_) {
            each.reset();
            each.release_empty_chunks();
        }
        parent_.reset();
    }

    /// @brief Gives all empty slabs back to the parent. Answers their bytes.
    std::uint64_t release_empty_slabs() noexcept {
        std::uint64_t sum = 0;
        for (class_pool& each : classes_)
            sum += each.release_empty_chunks();
        return sum;
    }

    /// @brief The class that serves a request; `class_count` where it is the parent. A block of a
    /// class lies at multiples of what divides its size, up to `largest_alignment`.
    [[nodiscard]] static constexpr std::size_t class_of(std::uint64_t bytes,
                                                        std::uint64_t alignment) noexcept {
        if (bytes - 1 >= Options.largest_bytes) [[unlikely]]
            return class_count;
        const std::size_t i = Grid::index(bytes);
        return alignment - 1 < Grid::least_bytes ? i : aligned_class_of(i, alignment);
    }

    [[nodiscard]] bool owns(address place) noexcept { return parent_.owns(place); }

    /// @brief Bytes of live blocks, of free ones in slabs, and of free ones of the parent; in whole
    /// classes and granules. O(slabs).
    [[nodiscard]] std::uint64_t used_bytes() const noexcept {
        return parent_.used_bytes() - slab_bytes() + sum(&class_pool::used_bytes);
    }
    [[nodiscard]] std::uint64_t free_bytes() const noexcept {
        return parent_.free_bytes() + sum(&class_pool::free_bytes);
    }
    /// @brief Bytes of all slabs.
    [[nodiscard]] std::uint64_t slab_bytes() const noexcept {
        return sum(&class_pool::mapped_bytes);
    }
    /// @brief The parent's, and 1 - that / all free bytes, those in slabs included.
    [[nodiscard]] std::uint64_t largest_free_run_bytes() const noexcept {
        return parent_.largest_free_run_bytes();
    }
    [[nodiscard]] double fragmentation() const noexcept {
        return detail::fragmentation_of(largest_free_run_bytes(), free_bytes());
    }

    [[nodiscard]] const class_pool& pool_of_class(std::size_t i) const noexcept {
        return classes_[i];
    }
    [[nodiscard]] Parent& parent() noexcept { return parent_; }
    [[nodiscard]] const Parent& parent() const noexcept { return parent_; }

  private:
    static constexpr std::uint64_t largest_alignment = Options.largest_alignment;
    static_assert(is_power_of_two(Options.first_slab_bytes) &&
                  Options.first_slab_bytes >= largest_alignment);

    [[nodiscard]] static constexpr std::size_t aligned_class_of(std::size_t i,
                                                                std::uint64_t alignment) noexcept {
        if (!is_power_of_two(alignment))
            return i; // whose pool refuses it
        if (alignment > largest_alignment)
            return class_count;
        while (i < class_count && Grid::bytes(i) % alignment != 0)
            ++i;
        return i;
    }

    [[nodiscard]] static pool_options options_of(const pool_options& given,
                                                 std::uint64_t bytes) noexcept {
        const std::uint64_t least = std::bit_ceil(Options.least_blocks * bytes);
        return {.name = given.name,
                .growth = growth_policy::geometric(std::max(Options.first_slab_bytes, least),
                                                   std::max(Options.slab_bytes, least)),
                .chunk_alignment = Options.first_slab_bytes,
                .gives_back_empty_chunks = true,
                .on_misuse = given.on_misuse,
                .metadata = given.metadata};
    }

    template <std::size_t... I>
    [[nodiscard]] std::array<class_pool, class_count> make_classes(const pool_options& options,
                                                                   std::index_sequence<I...>) {
        return {class_pool(options_of(options, Grid::bytes(I)), sized_granule(Grid::bytes(I)),
                           slabs_of(I))...};
    }

    [[nodiscard]] Slabs slabs_of(std::size_t i) {
        if constexpr (std::constructible_from<Slabs, Parent&, std::size_t>)
            return Slabs(parent_, i);
        else
            return Slabs(parent_);
    }

    template <std::invocable<const class_pool&> F>
    [[nodiscard]] std::uint64_t sum(F&& bytes) const noexcept {
        std::uint64_t total = 0;
        for (const class_pool& each : classes_)
            total += std::invoke(bytes, each);
        return total;
    }

    Parent parent_;
    std::array<class_pool, class_count> classes_; ///< end before the parent
};

} // namespace palloc::inline v0
