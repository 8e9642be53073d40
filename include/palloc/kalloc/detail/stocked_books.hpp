// SPDX-License-Identifier: MIT
/// @file
/// @brief Books of a heap: a metadata provider that knows whether it would have to map.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/spin_lock.hpp>
#include <palloc/kalloc/detail/mapping_gate.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Small pieces from arenas of its own, large ones from the provider behind it. Where the
/// gate is shut, from what it has.
/// @par Thread safety any thread
class stocked_books {
  public:
    explicit stocked_books(metadata_ref behind) noexcept : behind_(behind) {}
    stocked_books(const stocked_books&) = delete;
    stocked_books& operator=(const stocked_books&) = delete;
    ~stocked_books() {
        while (arenas_ != nullptr) {
            arena* const gone = std::exchange(arenas_, arenas_->next);
            behind_.give_back(reinterpret_cast<std::byte*>(gone), arena_bytes);
        }
    }

    /// @par Errors `zero_size`; `out_of_memory` where it would have to map and may not; the
    /// provider's
    [[nodiscard]] result<std::byte*> take(std::size_t bytes) noexcept {
        if (bytes == 0)
            return fail(errc::zero_size);
        const std::lock_guard alone(busy_);
        if (bytes > largest_small_bytes)
            return mapping_is_barred ? result<std::byte*>(fail(errc::out_of_memory))
                                     : behind_.take(bytes);
        free_piece*& first = reusable_[class_of(bytes)];
        if (first == nullptr)
            return carve(rounded(bytes));
        free_piece* const piece = std::exchange(first, first->next);
        return static_cast<std::byte*>(std::memset(static_cast<void*>(piece), 0, rounded(bytes)));
    }

    void give_back(std::byte* storage, std::size_t bytes) noexcept {
        const std::lock_guard alone(busy_);
        if (bytes > largest_small_bytes)
            return behind_.give_back(storage, bytes);
        free_piece*& first = reusable_[class_of(bytes)];
        first = ::new (static_cast<void*>(storage)) free_piece{first};
    }

  private:
    struct free_piece {
        free_piece* next;
    };
    struct alignas(storage_alignment) arena {
        arena* next;
        std::size_t used_bytes;
    };
    static constexpr std::size_t arena_bytes = std::size_t{64} << 10;
    static constexpr std::size_t largest_small_bytes = std::size_t{4} << 10;

    [[nodiscard]] static constexpr std::size_t rounded(std::size_t bytes) noexcept {
        return std::bit_ceil(std::max(bytes, storage_alignment));
    }
    [[nodiscard]] static constexpr std::size_t class_of(std::size_t bytes) noexcept {
        return static_cast<std::size_t>(std::countr_zero(rounded(bytes) / storage_alignment));
    }

    [[nodiscard]] result<std::byte*> carve(std::size_t bytes) noexcept {
        if (arenas_ == nullptr || bytes > arena_bytes - arenas_->used_bytes) {
            if (mapping_is_barred)
                return fail(errc::out_of_memory);
            const auto fresh = behind_.take(arena_bytes);
            if (!fresh)
                return fresh;
            arenas_ = ::new (static_cast<void*>(*fresh)) arena{arenas_, sizeof(arena)};
        }
        std::byte* const piece = reinterpret_cast<std::byte*>(arenas_) + arenas_->used_bytes;
        arenas_->used_bytes += bytes;
        return piece;
    }

    metadata_ref behind_;
    spin_lock busy_;
    arena* arenas_ = nullptr;
    std::array<free_piece*, std::bit_width(largest_small_bytes / storage_alignment)> reusable_{};
};

} // namespace palloc::inline v0::detail
