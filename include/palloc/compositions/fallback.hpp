// SPDX-License-Identifier: MIT
/// @file
/// @brief One pool, and another for what it cannot serve.
///
/// When to choose it: a small fast pool (a static array, a huge page) with something ample behind
/// it. Costs: the first's failing search where it is full, and its `owns` for every block that is
/// given back.
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

#include <algorithm>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief Asks the first, then the second; a block goes back to the one that owns its address.
///
///     fallback pool([] { return first_pool(...); }, [] { return second_pool(...); });
template <block_allocator First, block_allocator Second>
class fallback : public detail::two_parts<First, Second> {
    using base = detail::two_parts<First, Second>;

  public:
    using base::base;

    /// @brief A block.
    /// @par Errors  the second's
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        auto&& got = first_.allocate(bytes, alignment);
        return got ? got : second_.allocate(bytes, alignment);
    }

    /// @brief Gives a block back; the same size and alignment.
    /// @par Errors  the owner's; the second's where neither owns the address
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        return first_.owns(block) ? first_.deallocate(block, bytes, alignment)
                                  : second_.deallocate(block, bytes, alignment);
    }

    /// @brief Bytes that a block asked for with these two may use, whichever has it.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes,
                                             std::uint64_t alignment = 1) const noexcept
        requires detail::tells_sizes<First> && detail::tells_sizes<Second>
    {
        return std::min(detail::usable_bytes(first_, bytes, alignment),
                        detail::usable_bytes(second_, bytes, alignment));
    }

    /// @brief Makes a block longer or shorter where it is; it is given back with the new size.
    /// @par Errors  the owner's; the second's where neither owns the address
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes,
                        std::uint64_t alignment = 1) noexcept
        requires detail::tells_sizes<First> && detail::tells_sizes<Second>
    {
        return first_.owns(block) ? detail::resize(first_, block, old_bytes, new_bytes, alignment)
                                  : detail::resize(second_, block, old_bytes, new_bytes, alignment);
    }

    /// @brief Why the second would refuse the request now, if the first does; see `pool::explain`.
    [[nodiscard]] explanation explain(layout wanted) noexcept
        requires detail::tells_sizes<First> && detail::tells_sizes<Second>
    {
        const explanation here = detail::explain(first_, wanted);
        return here.possible() ? here : detail::explain(second_, wanted);
    }

    [[nodiscard]] First& first() noexcept { return first_; }
    [[nodiscard]] Second& second() noexcept { return second_; }

  private:
    using base::first_;
    using base::second_;
};

template <class MakeFirst, class MakeSecond>
fallback(MakeFirst, MakeSecond)
    -> fallback<std::invoke_result_t<MakeFirst>, std::invoke_result_t<MakeSecond>>;

} // namespace palloc::inline v0
