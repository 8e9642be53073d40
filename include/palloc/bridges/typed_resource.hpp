// SPDX-License-Identifier: MIT
/// @file
/// @brief Any typed allocator as a `std::pmr::memory_resource`.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/core/layout.hpp>

#include <concepts>
#include <cstddef>
#include <memory_resource>
#include <new>

namespace palloc::inline v0 {

/// @brief Serves containers through a handle. Two resources are equal if their handles are.
/// @par Errors  `std::bad_alloc` where the allocator has no memory, or not under the flags.
/// @par Thread safety  the allocator's
template <allocator_handle A>
    requires std::equality_comparable<A>
class typed_resource final : public std::pmr::memory_resource {
  public:
    /// @param flags  of every allocation.
    explicit typed_resource(A from = A(), alloc_flags flags = flags::kernel) noexcept
        : from_(from), flags_(flags) {}

  private:
    // The standard allows sizes of 0, and wants an address for each.
    static constexpr layout at_least_one(std::size_t bytes, std::size_t alignment) noexcept {
        return {bytes + (bytes == 0), alignment};
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const auto block = alloc(from_, at_least_one(bytes, alignment), flags_);
        if (!block)
            throw std::bad_alloc();
        return block->data();
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        free(from_, static_cast<std::byte*>(block), at_least_one(bytes, alignment));
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        const auto* same = dynamic_cast<const typed_resource*>(&other);
        return same != nullptr && same->from_ == from_;
    }

    [[no_unique_address]] A from_;
    alloc_flags flags_;
};

} // namespace palloc::inline v0
