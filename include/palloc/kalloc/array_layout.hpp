// SPDX-License-Identifier: MIT
/// @file
/// @brief The layout of a number of objects in a row, as a type that cannot overflow.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>

#include <cstddef>
#include <limits>

namespace palloc::inline v0 {

/// @brief A number of objects whose bytes, all together, a pointer difference can count.
/// @tparam T  may be of size 0, which compilers allow as an extension: then any number fits.
template <class T>
class array_layout {
  public:
    /// @brief No objects.
    constexpr array_layout() noexcept = default;

    /// @brief `count` objects.
    /// @par Errors  `too_large` where their bytes exceed PTRDIFF_MAX
    [[nodiscard]] static constexpr result<array_layout> make(std::size_t count) noexcept {
        if (count > largest)
            return fail(errc::too_large);
        return array_layout(count);
    }
    /// @brief `count` objects.
    /// @pre  Their bytes do not exceed PTRDIFF_MAX.
    [[nodiscard]] static constexpr array_layout make_unchecked(std::size_t count) noexcept {
        return array_layout(count);
    }

    [[nodiscard]] constexpr std::size_t count() const noexcept { return count_; }
    [[nodiscard]] constexpr bool is_empty() const noexcept { return count_ == 0; }
    [[nodiscard]] constexpr std::size_t bytes() const noexcept { return count_ * sizeof(T); }
    /// @brief Size and alignment of the whole.
    [[nodiscard]] constexpr layout whole() const noexcept { return {bytes(), alignof(T)}; }

    friend constexpr bool operator==(array_layout, array_layout) = default;

    /// @brief The largest number that fits.
    static constexpr std::size_t largest = [] {
        if constexpr (sizeof(T) == 0)
            return std::numeric_limits<std::size_t>::max();
        else
            return static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T);
    }();

  private:
    constexpr explicit array_layout(std::size_t count) noexcept : count_(count) {}

    std::size_t count_ = 0;
};

/// @brief What a vector is made of, when it is taken apart.
template <class T>
struct raw_parts {
    T* data;
    std::size_t size;
    std::size_t capacity;
};

} // namespace palloc::inline v0
