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

#include <palloc/compositions/detail/two_parts.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

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
