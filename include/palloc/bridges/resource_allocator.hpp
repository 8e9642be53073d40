// SPDX-License-Identifier: MIT
/// @file
/// @brief Any `std::pmr::memory_resource` as a typed allocator; over `new_delete_resource` the
/// model of the kernel's user-space tests.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/numa_node.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <span>

namespace palloc::inline v0 {

/// @brief A handle on a resource that must outlive it and what is allocated through it.
///
/// A block that changes its size moves. The resource is not told of flags: it may block whatever
/// they say, so those without `may_block` are refused; of a node it is not told either.
/// @par Thread safety  the resource's
class resource_allocator {
  public:
    static constexpr std::size_t min_align = 1;

    explicit resource_allocator(
        std::pmr::memory_resource& from = *std::pmr::get_default_resource()) noexcept
        : from_(&from) {}

    /// @brief The one primitive: see `typed_allocator`.
    /// @par Errors  `bad_alignment`; `too_large`; `not_supported` where the flags do not let it
    ///   block; `out_of_memory` where the resource throws. The old block is as it was.
    [[nodiscard]] result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node) noexcept {
        const bool is_new = old_layout.bytes == 0 || old == nullptr;
        if (!wanted.valid())
            return fail(errc::bad_alignment);
        if (wanted.bytes == 0) {
            if (!is_new)
                release(old, old_layout);
            return std::span<std::byte>(dangling(wanted.alignment), 0);
        }
        constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 2;
        if (wanted.bytes > most || wanted.alignment > most)
            return fail(errc::too_large);
        if (!flags.contains(flags::may_block))
            return fail(errc::not_supported);
        std::byte* const fresh = allocated(wanted);
        if (fresh == nullptr)
            return fail(errc::out_of_memory);
        if (flags.contains(flags::zero) && wanted.bytes > old_layout.bytes)
            std::memset(fresh + old_layout.bytes, 0,
                        static_cast<std::size_t>(wanted.bytes - old_layout.bytes));
        if (!is_new) {
            std::memcpy(fresh, old,
                        static_cast<std::size_t>(std::min(wanted.bytes, old_layout.bytes)));
            release(old, old_layout);
        }
        return std::span(fresh, static_cast<std::size_t>(wanted.bytes));
    }

    [[nodiscard]] std::pmr::memory_resource& resource() const noexcept { return *from_; }
    friend bool operator==(resource_allocator a, resource_allocator b) noexcept {
        return *a.from_ == *b.from_;
    }

  private:
    [[nodiscard]] std::byte* allocated(const layout& wanted) noexcept {
        try {
            return static_cast<std::byte*>(
                from_->allocate(static_cast<std::size_t>(wanted.bytes),
                                static_cast<std::size_t>(wanted.alignment)));
        } catch (...) {
            return nullptr;
        }
    }
    void release(std::byte* block, const layout& of) noexcept {
        from_->deallocate(block, static_cast<std::size_t>(of.bytes),
                          static_cast<std::size_t>(of.alignment));
    }

    std::pmr::memory_resource* from_;
};

static_assert(allocator_handle<resource_allocator>);

} // namespace palloc::inline v0
