// SPDX-License-Identifier: MIT
/// @file
/// @brief Any typed allocator as a standard allocator.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/core/layout.hpp>

#include <concepts>
#include <cstddef>
#include <new>

namespace palloc::inline v0 {

/// @brief A standard allocator of `T`; has no size where the handle has none.
/// @par Errors  `std::bad_alloc`; `std::bad_array_new_length` where the size overflows.
/// @par Thread safety  the allocator's
template <class T, allocator_handle A>
    requires std::equality_comparable<A>
class typed_std_allocator {
  public:
    using value_type = T;

    typed_std_allocator() noexcept
        requires std::default_initializable<A>
    = default;
    explicit typed_std_allocator(A from) noexcept : from_(from) {}
    template <class U>
    // NOLINTNEXTLINE(google-explicit-constructor): the standard wants the conversion
    typed_std_allocator(const typed_std_allocator<U, A>& other) noexcept : from_(other.from()) {}

    [[nodiscard]] T* allocate(std::size_t count) {
        const auto wanted = layout::array_of<T>(count);
        if (!wanted)
            throw std::bad_array_new_length();
        const auto block =
            alloc(from_, {wanted->bytes + (count == 0), wanted->alignment}, flags::kernel);
        if (!block)
            throw std::bad_alloc();
        return reinterpret_cast<T*>(block->data());
    }
    void deallocate(T* block, std::size_t count) noexcept {
        free(from_, reinterpret_cast<std::byte*>(block),
             {count * sizeof(T) + (count == 0), alignof(T)});
    }

    [[nodiscard]] A from() const noexcept { return from_; }

    template <class U>
    [[nodiscard]] bool operator==(const typed_std_allocator<U, A>& other) const noexcept {
        return from_ == other.from();
    }

  private:
    [[no_unique_address]] A from_;
};

} // namespace palloc::inline v0
