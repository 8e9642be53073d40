// SPDX-License-Identifier: MIT
/// @file
/// @brief A fixed number of objects in a row that are made in place and never move.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/kalloc/array_layout.hpp>
#include <palloc/kalloc/detail/element_range.hpp>
#include <palloc/kalloc/detail/raw_array.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief Owns objects that may be immovable. Source: `Box::pin_slice` of the kernel's Rust crate.
template <class T, allocator_handle A>
class pinned_slice {
  public:
    pinned_slice(pinned_slice&& other) noexcept
        : store_(std::move(other.store_)), size_(std::exchange(other.size_, 0)) {}
    pinned_slice& operator=(pinned_slice&&) = delete;
    ~pinned_slice() { std::destroy_n(store_.first(), size_); }

    /// @brief `count` objects. `init` is called for each in order, as one of
    ///
    ///     T init(std::size_t i);
    ///     result<void> init(T* place, std::size_t i);    // which makes an object at `place`
    ///
    /// @par Errors  `too_large`; the allocator's; the first that `init` answers. What was made is
    /// destroyed, also where `init` throws.
    template <class Init>
    [[nodiscard]] static result<pinned_slice> make(std::size_t count, Init&& init,
                                                   alloc_flags flags, A from = A()) {
        const auto room = array_layout<T>::make(count);
        if (!room)
            return tl::unexpected(room.error());
        pinned_slice made(from);
        if (const auto got = made.store_.set_capacity(0, *room, flags); !got)
            return tl::unexpected(got.error());
        for (; made.size_ != count; ++made.size_)
            if (const auto done = make_one(init, made.store_.first() + made.size_, made.size_);
                !done)
                return tl::unexpected(done.error());
        return made;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* data() const noexcept { return store_.first(); }
    [[nodiscard]] std::span<T> span() const noexcept { return {data(), size_}; }
    [[nodiscard]] auto begin() const noexcept { return detail::element_at(data(), 0); }
    [[nodiscard]] auto end() const noexcept { return detail::element_at(data(), size_); }
    /// @pre  `i < size()`
    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return data()[i]; }

  private:
    explicit pinned_slice(A from) noexcept : store_(from) {}

    template <class Init>
    [[nodiscard]] static result<void> make_one(Init& init, T* place, std::size_t i) {
        if constexpr (std::is_invocable_r_v<result<void>, Init&, T*, std::size_t>) {
            return std::invoke(init, place, i);
        } else {
            static_assert(std::same_as<std::invoke_result_t<Init&, std::size_t>, T>);
            ::new (static_cast<void*>(place)) T(std::invoke(init, i));
            return {};
        }
    }

    detail::raw_array<T, A> store_;
    std::size_t size_ = 0;
};

} // namespace palloc::inline v0
