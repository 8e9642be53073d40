// SPDX-License-Identifier: MIT
/// @file
/// @brief One pool for small blocks, another for the others.
///
/// When to choose it: blocks of two sorts that would be in each other's way: objects and buffers.
/// Costs: a comparison a call.
///
/// Source: A. Alexandrescu, "std::allocator is to allocation what std::vector is to vexation",
/// CppCon 2015.
#pragma once

#include <palloc/compositions/detail/sizes.hpp>
#include <palloc/compositions/detail/two_parts.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pool_options.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief Small is what has neither a size nor an alignment above the threshold. That alone decides
/// where a block goes back to as well; nothing is looked up.
///
///     segregator<256, small_pool, large_pool> pool([] { return small_pool(...); },
///                                                  [] { return large_pool(...); });
template <std::uint64_t Threshold, block_allocator Small, block_allocator Large>
class segregator : public detail::two_parts<Small, Large> {
    using base = detail::two_parts<Small, Large>;

  public:
    using base::base;

    /// @brief A block.
    /// @par Errors  the part's
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        return is_small(bytes, alignment) ? first_.allocate(bytes, alignment)
                                          : second_.allocate(bytes, alignment);
    }

    /// @brief Gives a block back; the same size and alignment.
    /// @par Errors  the part's
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        return is_small(bytes, alignment) ? first_.deallocate(block, bytes, alignment)
                                          : second_.deallocate(block, bytes, alignment);
    }

    /// @brief Bytes that a block asked for with these two may use.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes,
                                             std::uint64_t alignment = 1) const noexcept
        requires detail::tells_sizes<Small> && detail::tells_sizes<Large>
    {
        return is_small(bytes, alignment) ? detail::usable_bytes(first_, bytes, alignment)
                                          : detail::usable_bytes(second_, bytes, alignment);
    }

    /// @brief Makes a block longer or shorter where it is; it is given back with the new size.
    /// @par Errors  `no_room`: also where the other part would serve the new size; those of the
    /// part
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes,
                        std::uint64_t alignment = 1) noexcept
        requires detail::tells_sizes<Small> && detail::tells_sizes<Large>
    {
        const bool small = is_small(old_bytes, alignment);
        if (new_bytes == 0 || small != is_small(new_bytes, alignment))
            return detail::stays_unless(true, new_bytes);
        return small ? detail::resize(first_, block, old_bytes, new_bytes, alignment)
                     : detail::resize(second_, block, old_bytes, new_bytes, alignment);
    }

    /// @brief Why the request would fail now, see `pool::explain`.
    [[nodiscard]] explanation explain(layout wanted) noexcept
        requires detail::tells_sizes<Small> && detail::tells_sizes<Large>
    {
        return is_small(wanted.bytes, wanted.alignment) ? detail::explain(first_, wanted)
                                                        : detail::explain(second_, wanted);
    }

    [[nodiscard]] Small& small() noexcept { return first_; }
    [[nodiscard]] Large& large() noexcept { return second_; }

  private:
    using base::first_;
    using base::second_;

    [[nodiscard]] static constexpr bool is_small(std::uint64_t bytes,
                                                 std::uint64_t alignment) noexcept {
        return bytes <= Threshold && alignment <= Threshold;
    }
};

} // namespace palloc::inline v0
