// SPDX-License-Identifier: MIT
/// @file
/// @brief A compartment of a kmalloc heap: magazines in front of size classes over one pool.
#pragma once

#include <palloc/algorithms/best_fit.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/size_class_grid.hpp>
#include <palloc/compositions/size_classes.hpp>
#include <palloc/compositions/thread_cache.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/kalloc/detail/marked.hpp>
#include <palloc/pool.hpp>
#include <palloc/pool_options.hpp>
#include <palloc/protections/unprotected.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Blocks by the class that serves them, which whoever frees a block has to know.
template <backing_can_map Backing>
class compartment {
  public:
    static constexpr std::uint64_t largest_small = 8192;

  private:
    using parent = pool<static_granule<page_map::page_bytes>, compartment_backing<Backing>,
                        boundary<indexed>, best_fit, unprotected>;
    using grid = size_class_grid<>;
    using classes = size_classes<parent,
                                 size_class_options{.largest_bytes = largest_small,
                                                    .largest_alignment = page_map::page_bytes},
                                 grid, marked_slabs<parent>>;
    static_assert(classes::class_count < page_code::classes);
    static constexpr rack_options kept{.largest_bytes = largest_small};

  public:
    /// @brief Free blocks that one thread keeps for itself.
    using magazines = rack<kept, grid>;

    compartment(const pool_options& options, compartment_backing<Backing> backing)
        : cache_(options, static_granule<page_map::page_bytes>(), std::move(backing)) {}

    /// @brief Bytes of the blocks of a class.
    [[nodiscard]] static constexpr std::uint64_t class_bytes(std::size_t size_class) noexcept {
        return grid::bytes(size_class);
    }
    /// @brief Bytes that a new block for a request may use.
    [[nodiscard]] static constexpr std::uint64_t rounded(const layout& padded) noexcept {
        const std::size_t i = classes::class_of(padded.bytes, padded.alignment);
        return i < classes::class_count ? class_bytes(i)
                                        : align_up(padded.bytes, page_map::page_bytes);
    }

    /// @brief A block for a request whose size is a multiple of its alignment.
    /// @par Errors  the pools'
    // Blocks of a class lie at multiples of what divides their size, so that it is asked for by
    // size alone, which is what magazines keep.
    [[nodiscard]] result<address> allocate(const layout& padded) noexcept {
        const std::size_t i = classes::class_of(padded.bytes, padded.alignment);
        return i < classes::class_count ? cache_.allocate(class_bytes(i), 1)
                                        : cache_.pool().allocate(padded.bytes, padded.alignment);
    }
    [[nodiscard]] result<address> allocate(magazines& mine, const layout& padded) noexcept {
        const std::size_t i = classes::class_of(padded.bytes, padded.alignment);
        return i < classes::class_count ? mine.take_class(i, cache_.pool())
                                        : cache_.pool().allocate(padded.bytes, padded.alignment);
    }
    [[nodiscard]] result<address> allocate_uncached(const layout& padded) noexcept {
        const std::size_t i = classes::class_of(padded.bytes, padded.alignment);
        return i < classes::class_count ? cache_.pool().allocate(class_bytes(i), 1)
                                        : cache_.pool().allocate(padded.bytes, padded.alignment);
    }

    void deallocate(address block, std::size_t size_class) noexcept {
        (void)cache_.deallocate(block, class_bytes(size_class), 1);
    }
    /// @brief A block of a class.
    /// @pre  `bytes` is at least 1 and at most `largest_small`.
    [[nodiscard]] [[gnu::always_inline]] result<address> take(magazines& mine,
                                                              std::uint64_t bytes) noexcept {
        return mine.take(bytes, cache_.pool());
    }
    /// @brief Whether there is such a class, and its blocks hold so many bytes.
    [[nodiscard]] static bool holds(std::size_t size_class, std::uint64_t bytes) noexcept {
        return size_class < sizes.size() && bytes <= sizes[size_class];
    }
    [[gnu::always_inline]] void deallocate(magazines& mine, address block,
                                           std::size_t size_class) noexcept {
        (void)mine.put_class(size_class, block, cache_.pool());
    }
    void flush(magazines& mine) noexcept { mine.flush(cache_.pool()); }
    void deallocate_uncached(address block, std::size_t size_class) noexcept {
        (void)cache_.pool().deallocate(block, class_bytes(size_class), 1);
    }
    void deallocate_large(address block) noexcept {
        cache_.pool().with([&](classes& all) { (void)all.parent().deallocate(block); });
    }

    /// @brief Bytes of a block that is in no class.
    /// @par Errors  `not_a_block`; `double_free`
    [[nodiscard]] result<std::uint64_t> large_bytes(address block) noexcept {
        return cache_.pool().with(
            [&](classes& all) { return all.parent().usable_bytes_at(block); });
    }

    /// @brief Maps until there are so many bytes.
    /// @par Errors  the parent's
    [[nodiscard]] result<void> have(std::uint64_t bytes) noexcept {
        return cache_.pool().with([&](classes& all) -> result<void> {
            const std::uint64_t there = all.parent().mapped_bytes();
            if (there >= bytes)
                return {};
            return all.parent().grow(bytes - there).map([](range) noexcept {});
        });
    }
    [[nodiscard]] std::uint64_t mapped_bytes() noexcept {
        return cache_.pool().with([](classes& all) { return all.parent().mapped_bytes(); });
    }

  private:
    static constexpr auto sizes = [] {
        std::array<std::uint32_t, classes::class_count> all{};
        for (std::size_t i = 0; i != all.size(); ++i)
            all[i] = static_cast<std::uint32_t>(grid::bytes(i));
        return all;
    }();

    thread_cache<locked<classes>, kept, 16, grid> cache_;
};

} // namespace palloc::inline v0::detail
