// SPDX-License-Identifier: MIT
/// @file
/// @brief Objects in a row as a range, whatever their size.
#pragma once

#include <palloc/core/version.hpp>

#include <compare>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>

namespace palloc::inline v0::detail {

/// @brief Walks objects by their number: those of size 0 all have one address, so that pointers to
/// them cannot say how many there are.
template <class T>
class numbered_iterator {
  public:
    using value_type = std::remove_cv_t<T>;
    using difference_type = std::ptrdiff_t;
    using pointer = T*;
    using reference = T&;
    using iterator_category = std::random_access_iterator_tag;

    numbered_iterator() noexcept = default;
    numbered_iterator(T* first, std::size_t at) noexcept
        : first_(first), at_(static_cast<std::ptrdiff_t>(at)) {}
    // NOLINTNEXTLINE(google-explicit-constructor): as a pointer's
    operator numbered_iterator<const T>() const noexcept
        requires(!std::is_const_v<T>)
    {
        return {first_, static_cast<std::size_t>(at_)};
    }

    [[nodiscard]] T& operator*() const noexcept { return first_[at_]; }
    [[nodiscard]] T* operator->() const noexcept { return std::addressof(first_[at_]); }
    [[nodiscard]] T& operator[](std::ptrdiff_t n) const noexcept { return first_[at_ + n]; }
    numbered_iterator& operator+=(std::ptrdiff_t n) noexcept {
        at_ += n;
        return *this;
    }
    numbered_iterator& operator-=(std::ptrdiff_t n) noexcept { return *this += -n; }
    numbered_iterator& operator++() noexcept { return *this += 1; }
    numbered_iterator& operator--() noexcept { return *this += -1; }
    numbered_iterator operator++(int) noexcept {
        const numbered_iterator before = *this;
        ++*this;
        return before;
    }
    numbered_iterator operator--(int) noexcept {
        const numbered_iterator before = *this;
        --*this;
        return before;
    }
    friend numbered_iterator operator+(numbered_iterator i, std::ptrdiff_t n) noexcept {
        return i += n;
    }
    friend numbered_iterator operator+(std::ptrdiff_t n, numbered_iterator i) noexcept {
        return i += n;
    }
    friend numbered_iterator operator-(numbered_iterator i, std::ptrdiff_t n) noexcept {
        return i -= n;
    }
    friend std::ptrdiff_t operator-(const numbered_iterator& a,
                                    const numbered_iterator& b) noexcept {
        return a.at_ - b.at_;
    }
    friend bool operator==(const numbered_iterator& a, const numbered_iterator& b) noexcept {
        return a.at_ == b.at_;
    }
    friend std::strong_ordering operator<=>(const numbered_iterator& a,
                                            const numbered_iterator& b) noexcept {
        return a.at_ <=> b.at_;
    }

  private:
    T* first_ = nullptr;
    std::ptrdiff_t at_ = 0;
};

/// @brief How the elements of a row are walked: by pointers where those tell them apart.
template <class T>
using element_iterator = std::conditional_t<sizeof(T) == 0, numbered_iterator<T>, T*>;

/// @brief The i-th of a row.
template <class T>
[[nodiscard]] element_iterator<T> element_at(T* first, std::size_t i) noexcept {
    if constexpr (sizeof(T) == 0)
        return {first, i};
    else
        return first + i;
}

/// @brief Where in a row a place is, if it is there.
template <class T>
[[nodiscard]] std::optional<std::size_t> index_in(const T* place, const T* first,
                                                  std::size_t count) noexcept {
    if constexpr (sizeof(T) != 0)
        if (!std::less<>()(place, first) && std::less<>()(place, first + count))
            return static_cast<std::size_t>(place - first);
    return std::nullopt;
}

/// @brief The range itself, or its elements by number where they have size 0 and it has, as an
/// array or a span, nothing but pointers to them: how many there are it has to know.
template <std::ranges::range Range>
[[nodiscard]] decltype(auto) told_apart(Range& all) noexcept {
    if constexpr (sizeof(std::ranges::range_value_t<Range>) == 0 &&
                  requires { std::data(all), std::size(all); })
        return std::ranges::subrange(element_at(std::data(all), 0),
                                     element_at(std::data(all), std::size(all)));
    else
        return (all);
}

} // namespace palloc::inline v0::detail
