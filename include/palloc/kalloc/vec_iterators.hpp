// SPDX-License-Identifier: MIT
/// @file
/// @brief The elements of a vector, walked by value: with the block (`into_iter`) or without
/// (`drain_all`).
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/kalloc/relocation.hpp>
#include <palloc/kalloc/vec.hpp>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {
namespace detail {

/// @brief Objects in a row that are taken from the front, one by one; destroys those that are left.
/// One that was looked at through an iterator counts as taken, though it is there until the
/// iterator moves on.
template <class T>
class taken_elements {
  public:
    taken_elements(T* first, std::size_t count) noexcept : first_(first), left_(count) {}
    taken_elements(taken_elements&& other) noexcept
        : first_(other.first_), taken_(other.taken_), left_(std::exchange(other.left_, 0)),
          is_read_(std::exchange(other.is_read_, false)) {}
    taken_elements& operator=(taken_elements&& other) noexcept {
        if (this != &other) {
            drop();
            first_ = other.first_;
            taken_ = other.taken_;
            left_ = std::exchange(other.left_, 0);
            is_read_ = std::exchange(other.is_read_, false);
        }
        return *this;
    }
    ~taken_elements() { drop(); }

    /// @brief The next, or none.
    [[nodiscard]] std::optional<T> next() {
        begin();
        std::optional<T> taken;
        if (left_ != 0) {
            taken.emplace(std::move_if_noexcept(first_[taken_]));
            advance();
        }
        return taken;
    }
    /// @brief Those that are left.
    [[nodiscard]] std::span<T> span() const noexcept { return {first_ + taken(), size()}; }
    [[nodiscard]] std::size_t size() const noexcept { return left_ - is_read_; }
    [[nodiscard]] std::size_t taken() const noexcept { return taken_ + is_read_; }

    /// @brief For iterators: the first that was not looked at comes to the front.
    void begin() noexcept {
        if (is_read_)
            advance();
    }
    [[nodiscard]] bool at_end() const noexcept { return left_ == 0; }
    [[nodiscard]] T&& front() noexcept {
        is_read_ = true;
        return std::move(first_[taken_]);
    }
    void advance() noexcept {
        std::destroy_at(first_ + taken_);
        ++taken_;
        --left_;
        is_read_ = false;
    }

    void drop() noexcept {
        if constexpr (!std::is_trivially_destructible_v<T>)
            std::destroy_n(first_ + taken_, left_);
        left_ = 0;
        is_read_ = false;
    }
    void forget() noexcept { left_ = 0; }

  private:
    T* first_;
    std::size_t taken_ = 0;
    std::size_t left_;
    bool is_read_ = false;
};

/// @brief An input iterator: the element is an rvalue, to be moved from or not, until `++`.
template <class T>
class next_iterator {
  public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    next_iterator() noexcept = default;
    explicit next_iterator(taken_elements<T>& from) noexcept : from_(&from) { from.begin(); }
    [[nodiscard]] T&& operator*() const noexcept { return from_->front(); }
    next_iterator& operator++() noexcept {
        from_->advance();
        return *this;
    }
    void operator++(int) noexcept { ++*this; }
    friend bool operator==(const next_iterator& it, std::default_sentinel_t) noexcept {
        return it.from_->at_end();
    }

  private:
    taken_elements<T>* from_ = nullptr;
};

} // namespace detail

/// @brief All that a vector had, without its block: an input range of rvalues. What its iterator
/// has passed, or `*iterator` has answered, is no longer in it.
template <class T, allocator_handle A>
class drained : private detail::taken_elements<T> {
    using base = detail::taken_elements<T>;

  public:
    using value_type = T;
    using base::next;
    using base::size;
    using base::span;
    [[nodiscard]] auto begin() noexcept { return detail::next_iterator<T>(*this); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  private:
    friend class vec<T, A>;
    using base::base;
};

/// @brief All that a vector had, and its block: an input range of rvalues, as `drained`.
template <class T, allocator_handle A>
class vec_into_iter {
  public:
    using value_type = T;

    vec_into_iter(vec_into_iter&&) noexcept = default;
    vec_into_iter& operator=(vec_into_iter&& other) noexcept {
        elements_ = std::move(other.elements_); // those that were left end before their block
        block_ = std::move(other.block_);
        return *this;
    }
    ~vec_into_iter() = default;

    [[nodiscard]] std::optional<T> next() { return elements_.next(); }
    [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
    [[nodiscard]] std::span<T> span() const noexcept { return elements_.span(); }
    [[nodiscard]] auto begin() noexcept { return detail::next_iterator<T>(elements_); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

    /// @brief A vector of the elements that are left, in the same block. Where some were taken the
    /// block is shrunk; that this fails is no failure.
    [[nodiscard]] vec<T, A> collect(alloc_flags flags) && {
        const std::size_t left = elements_.size();
        const std::size_t gone = elements_.taken();
        T* const first = block_.data();
        if (gone == 0) {
            elements_.forget();
            block_.inc_len(left);
            return std::move(block_);
        }
        for (std::size_t i = 0; i != left; ++i) {
            ::new (static_cast<void*>(first + i)) T(take());
            block_.inc_len(1);
        }
        (void)block_.shrink_to(left, flags);
        return std::move(block_);
    }

  private:
    friend class vec<T, A>;
    explicit vec_into_iter(vec<T, A>&& from) noexcept
        : block_(std::move(from)), elements_(block_.data(), std::exchange(block_.size_, 0)) {}

    [[nodiscard]] T take() { return *elements_.next(); }

    vec<T, A> block_;
    detail::taken_elements<T> elements_; ///< end before the block
};

} // namespace palloc::inline v0
