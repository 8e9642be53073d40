// SPDX-License-Identifier: MIT
/// @file
/// @brief Room for objects in a row, of which somebody else knows how many there are.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/kalloc/array_layout.hpp>
#include <palloc/kalloc/relocation.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Destroys what was appended since, unless told otherwise.
template <class Vector>
struct shortening {
    Vector& it;
    std::size_t to;
    ~shortening() { it.truncate(to); }
};

/// @brief Owns a block, not the objects in it; the block ends with it.
template <class T, allocator_handle A>
class raw_array {
  public:
    raw_array() noexcept
        requires std::default_initializable<A>
    = default;
    explicit raw_array(A from) noexcept : from_(from) {}
    raw_array(raw_array&& other) noexcept
        : first_(std::exchange(other.first_, nothing())),
          room_(std::exchange(other.room_, array_layout<T>())), from_(other.from_) {}
    raw_array& operator=(raw_array&& other) = delete;
    ~raw_array() { free(from_, block(), room_.whole()); }

    [[nodiscard]] T* first() const noexcept { return first_; }
    [[nodiscard]] std::size_t capacity() const noexcept {
        return sizeof(T) == 0 ? array_layout<T>::largest : room_.count();
    }
    [[nodiscard]] const A& from() const noexcept { return from_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {block(), room_.bytes()}; }

    void adopt(T* first, std::size_t capacity) noexcept {
        first_ = first;
        room_ = array_layout<T>::make_unchecked(sizeof(T) == 0 ? 0 : capacity);
    }
    [[nodiscard]] T* let_go() noexcept {
        room_ = {};
        return std::exchange(first_, nothing());
    }
    void swap(raw_array& other) noexcept {
        std::swap(first_, other.first_);
        std::swap(room_, other.room_);
        std::swap(from_, other.from_);
    }

    /// @brief Room for `additional` more than the `size` objects that there are, or twice as many
    /// as there was, whichever is more.
    /// @par Errors  `too_large`; the allocator's; unchanged
    [[nodiscard]] [[gnu::noinline]] result<void> grow_for(std::size_t size, std::size_t additional,
                                                          alloc_flags flags) {
        const auto needed = checked_add(size, additional);
        if (!needed || *needed > array_layout<T>::largest)
            return fail(errc::too_large);
        const std::size_t doubled = std::min(room_.count(), array_layout<T>::largest / 2) * 2;
        return set_capacity(size, array_layout<T>::make_unchecked(std::max(doubled, *needed)),
                            flags);
    }

    /// @brief Room for just so many.
    /// @pre  not fewer than `size`, the objects that there are; none where they cannot be moved
    [[nodiscard]] result<void> set_capacity(std::size_t size, array_layout<T> wanted,
                                            alloc_flags flags) {
        const auto got = moved(size, wanted, flags);
        if (!got)
            return tl::unexpected(got.error());
        first_ = reinterpret_cast<T*>(got->data());
        room_ = wanted;
        return {};
    }

  private:
    [[nodiscard]] static T* nothing() noexcept {
        return reinterpret_cast<T*>(dangling(alignof(T)));
    }
    [[nodiscard]] std::byte* block() const noexcept { return reinterpret_cast<std::byte*>(first_); }

    [[nodiscard]] result<std::span<std::byte>> moved(std::size_t size, array_layout<T> wanted,
                                                     alloc_flags flags) {
        const layout before = room_.whole();
        if constexpr (is_trivially_relocatable<T>) {
            if (wanted.count() < room_.count())
                return shrink(from_, block(), wanted.whole(), before, flags);
            return from_.realloc(block(), wanted.whole(), before, flags, no_node);
        } else {
            const auto got = alloc(from_, wanted.whole(), flags);
            if (!got)
                return got;
            unused_block spare(from_, got->data(), wanted.whole());
            if constexpr (std::move_constructible<T>)
                relocate_objects(first_, size, reinterpret_cast<T*>(got->data()));
            spare.block = block();
            spare.of = before;
            return got;
        }
    }

    /// The block that goes: the new one if an object's copy throws, else the old one.
    struct unused_block {
        A& from;
        std::byte* block;
        layout of;
        unused_block(A& a, std::byte* b, layout l) noexcept : from(a), block(b), of(l) {}
        unused_block(const unused_block&) = delete;
        unused_block& operator=(const unused_block&) = delete;
        ~unused_block() { free(from, block, of); }
    };

    T* first_ = nothing();
    array_layout<T> room_;
    [[no_unique_address]] A from_;
};

} // namespace palloc::inline v0::detail
