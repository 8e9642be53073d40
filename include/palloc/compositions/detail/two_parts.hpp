// SPDX-License-Identifier: MIT
/// @file
/// @brief Two pools in one: what `fallback` and `segregator` have in common.
#pragma once

#include <palloc/compositions/detail/free_room.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>

namespace palloc::inline v0::detail {

template <block_allocator First, block_allocator Second>
class two_parts {
  public:
    static constexpr bool is_concurrent =
        concurrent_allocator<First> && concurrent_allocator<Second>;
    static constexpr bool is_touchable =
        pool_can_serve_containers<First> && pool_can_serve_containers<Second>;

    two_parts() = default;

    /// @param make_first, make_second  called once each, in this order; answer the parts by value.
    template <class MakeFirst, class MakeSecond>
        requires std::same_as<std::invoke_result_t<MakeFirst>, First> &&
                     std::same_as<std::invoke_result_t<MakeSecond>, Second>
    two_parts(MakeFirst&& make_first, MakeSecond&& make_second)
        : first_(std::invoke(make_first)), second_(std::invoke(make_second)) {}

    two_parts(const two_parts&) = delete;
    two_parts& operator=(const two_parts&) = delete;

    [[nodiscard]] bool owns(address place) noexcept {
        return first_.owns(place) || second_.owns(place);
    }

    /// @brief Drops every live block at once. Alone.
    void reset() noexcept
        requires requires(First& first, Second& second) {
            first.reset();
            second.reset();
        }
    {
        first_.reset();
        second_.reset();
    }

    /// @brief Bytes that are free in either, the longest run of one, and 1 - that / all of them.
    [[nodiscard]] std::uint64_t free_bytes() const noexcept
        requires tells_free_room<First> && tells_free_room<Second>
    {
        return first_.free_bytes() + second_.free_bytes();
    }
    [[nodiscard]] std::uint64_t largest_free_run_bytes() const noexcept
        requires tells_free_room<First> && tells_free_room<Second>
    {
        return std::max(first_.largest_free_run_bytes(), second_.largest_free_run_bytes());
    }
    [[nodiscard]] double fragmentation() const noexcept
        requires tells_free_room<First> && tells_free_room<Second>
    {
        return fragmentation_of(largest_free_run_bytes(), free_bytes());
    }

  protected:
    ~two_parts() = default;

    First first_;
    Second second_;
};

} // namespace palloc::inline v0::detail
