// SPDX-License-Identifier: MIT
/// @file
/// @brief How a pmalloc pool is written while it is protected.
///
/// Each call is checked against the whole target range and against what its area is now. Not used
/// by itself.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/write_window.hpp>
#include <palloc/pmalloc/detail/pmalloc_core.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace palloc::inline v0::detail {

template <class Protection, backing_can_map Backing, chunk_bitmap Bitmap>
class pmalloc_writing : public pmalloc_core<Protection, Backing, Bitmap> {
    using base = pmalloc_core<Protection, Backing, Bitmap>;

  public:
    // ---------------------------------------------------------------- write-rare

    /// @brief Writable addresses of a part, for a scope.
    /// @par Errors  `not_ours`; `past_the_end`: the part runs over the edge of its area;
    ///   `is_protected`: the area is immutable; `not_supported`: so is every area of the pool
    [[nodiscard]] result<write_window> open_window(range part) noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        return this->pool_.open_window(part);
    }
    template <class T>
    [[nodiscard]] result<write_window> open_window(const T* first, std::size_t count = 1) noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        const auto all = layout::array_of<T>(count);
        return all ? open_window({number(first), all->bytes}) : fail(errc::too_large);
    }

    /// @brief Copies bytes to `target`, which lies in the pool. Not atomic.
    /// @par Errors  those of a window
    result<void> copy(const void* target, std::span<const std::byte> bytes) noexcept
        requires protection_can_store<Protection, Backing>
    {
        return this->pool_.store(number(target), bytes);
    }
    /// @brief Sets `count` bytes from `target` on.
    result<void> fill(const void* target, std::byte value, std::size_t count) noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        return open_window({number(target), count}).and_then([&](write_window window) {
            const auto bytes = window.bytes();
            std::fill(bytes.begin(), bytes.end(), value);
            return window.close();
        });
    }
    /// @brief Copies a value over an object. Not atomic.
    template <class T>
        requires std::is_trivially_copyable_v<T>
    result<void> assign(const T* target, const std::type_identity_t<T>& value) noexcept
        requires protection_can_store<Protection, Backing>
    {
        return copy(target, std::as_bytes(std::span(&value, 1)));
    }
    /// @brief Stores a word so that readers see it whole, and what was written before it.
    template <class T>
        requires(std::is_trivially_copyable_v<T> && std::atomic_ref<T>::is_always_lock_free)
    result<void> publish(const T* target, std::type_identity_t<T> value) noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        return with_word(
            target, [&](std::atomic_ref<T> word) { word.store(value, std::memory_order_release); });
    }
    /// @brief Adds to a number, in one atomic step.
    template <std::integral T>
    result<void> add(const T* target, std::type_identity_t<T> amount) noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        return with_word(target, [&](std::atomic_ref<T> word) { word.fetch_add(amount); });
    }
    template <std::integral T>
    result<void> subtract(const T* target, std::type_identity_t<T> amount) noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        return with_word(target, [&](std::atomic_ref<T> word) { word.fetch_sub(amount); });
    }

  protected:
    using base::base;
    ~pmalloc_writing() = default;

    [[nodiscard]] static address number(const void* at) noexcept { return address_of(at); }

    [[nodiscard]] result<void> clear(void* block, std::uint64_t bytes) noexcept {
        if (this->is_writable(number(block))) {
            std::memset(block, 0, static_cast<std::size_t>(bytes));
            return {};
        }
        if constexpr (protection_opens_windows<Protection, Backing>)
            return fill(block, std::byte{}, static_cast<std::size_t>(bytes));
        else
            return fail(errc::not_supported);
    }

    [[nodiscard]] result<void> put(void* block, std::span<const std::byte> bytes) noexcept {
        if (this->is_writable(number(block))) {
            std::memcpy(block, bytes.data(), bytes.size());
            return {};
        }
        if constexpr (protection_can_store<Protection, Backing>)
            return copy(block, bytes);
        else
            return fail(errc::not_supported);
    }

  private:
    /// @pre  `target` is aligned.
    template <class T, class F>
    [[nodiscard]] result<void> with_word(const T* target, F&& change) noexcept {
        if (number(target) % std::atomic_ref<T>::required_alignment != 0)
            return fail(errc::bad_alignment);
        return open_window(target).and_then([&](write_window window) {
            change(std::atomic_ref<T>(*reinterpret_cast<T*>(window.writable().base)));
            return window.close();
        });
    }
};

} // namespace palloc::inline v0::detail
