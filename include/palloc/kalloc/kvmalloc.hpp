// SPDX-License-Identifier: MIT
/// @file
/// @brief kvmalloc: first kmalloc, then vmalloc, and never back.
///
/// | request                                  | answer                                          |
/// |------------------------------------------|-------------------------------------------------|
/// | any                                      | padded to its alignment; kmalloc's, if it can   |
/// | kmalloc fails, more than a page, and `flags::may_block` | vmalloc's                        |
/// | kmalloc fails, a page or less, or may not block | kmalloc's error                          |
/// | `realloc` of a block of vmalloc's        | vmalloc's, however short it becomes             |
/// | `realloc` of a block of kmalloc's        | kmalloc's; where that fails, a new block of vmalloc's, copy, free |
/// | `shrink`                                 | as whose block it is                            |
/// | `flags::account`                         | charged by the one that serves it, each with a limit of its own |
///
/// The first attempt is not told to a failure handler where there is a second one. The kernel skips
/// kmalloc for sizes below the alignment; sizes are padded here, so that there are none.
///
/// @par Thread safety  that of the two
/// Source: kvrealloc of the Linux kernel.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/kalloc/kmalloc.hpp>
#include <palloc/kalloc/vmalloc.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace palloc::inline v0 {

/// @brief Knows its own blocks by their addresses.
template <class A>
concept owning_allocator = allocator_handle<A> && requires(A& a, const std::byte* place) {
    { a.owns(place) } noexcept -> std::same_as<bool>;
};

/// @brief A heap's handle that also says what the heap owns.
template <class Heap>
class owner_ref : public allocator_ref<Heap> {
  public:
    using allocator_ref<Heap>::allocator_ref;
    [[nodiscard]] bool owns(const std::byte* place) noexcept { return this->heap().owns(place); }
};

/// @brief Two handles as one.
/// @tparam Small  asked first.
/// @tparam Large  asked for what the first could not serve.
template <allocator_handle Small, owning_allocator Large>
    requires page_allocator<Large>
class kv_allocator {
  public:
    static constexpr std::size_t min_align =
        std::min(std::size_t{Small::min_align}, std::size_t{Large::min_align});

    kv_allocator() noexcept
        requires std::default_initializable<Small> && std::default_initializable<Large>
    = default;
    kv_allocator(Small small, Large large) noexcept : small_(small), large_(large) {}

    /// @brief The one primitive: see `typed_allocator` and the table above.
    /// @par Errors  those of the two
    [[nodiscard]] result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node node) noexcept {
        const bool is_new = old_layout.bytes == 0 || old == nullptr;
        const auto padded = wanted.valid() ? wanted.padded() : std::nullopt;
        if (!is_new && large_.owns(old)) // what has no padding is refused as it is
            return large_changed(old, wanted, padded.value_or(wanted), old_layout, flags, node);
        if (!padded || !may_be_large(*padded, flags))
            return small_.realloc(old, wanted, old_layout, flags, node);
        auto first = small_.realloc(old, wanted, old_layout, flags | flags::no_warn, node);
        if (first || !is_want_of_memory(first.error()))
            return first;
        const auto second = large_.realloc(nullptr, *padded, {}, flags, node);
        if (second && !is_new) {
            std::memcpy(second->data(), old,
                        static_cast<std::size_t>(std::min(old_layout.bytes, wanted.bytes)));
            free(small_, old, old_layout);
        }
        return second;
    }

    /// @brief `realloc` to a size that is not larger, giving back what can be.
    /// @par Errors  those of the block's
    [[nodiscard]] result<std::span<std::byte>> shrink(std::byte* old, const layout& wanted,
                                                      const layout& old_layout,
                                                      alloc_flags flags) noexcept {
        if (old_layout.bytes != 0 && !large_.owns(old))
            return palloc::shrink(small_, old, wanted, old_layout, flags);
        return realloc(old, wanted, old_layout, flags, no_node);
    }

    /// @brief Whether a block came from the second.
    [[nodiscard]] bool is_large(const std::byte* block) noexcept { return large_.owns(block); }
    friend bool operator==(const kv_allocator&, const kv_allocator&) = default;

  private:
    [[nodiscard]] bool may_be_large(const layout& padded, alloc_flags flags) const noexcept {
        return padded.bytes > large_.page_bytes() && flags.contains(flags::may_block);
    }
    [[nodiscard]] static bool is_want_of_memory(error why) noexcept {
        return why.code == errc::out_of_memory || why.code == errc::over_limit ||
               why.code == errc::too_large || why.code == errc::os_failure;
    }
    [[nodiscard]] result<std::span<std::byte>>
    large_changed(std::byte* old, const layout& wanted, const layout& padded,
                  const layout& old_layout, alloc_flags flags, numa_node node) noexcept {
        const layout before = old_layout.padded().value_or(old_layout); // as it was allocated
        const auto block = large_.realloc(old, padded, before, flags, node);
        if (block && flags.contains(flags::zero) && old_layout.bytes < wanted.bytes)
            std::memset(
                block->data() + old_layout.bytes, 0,
                static_cast<std::size_t>(std::min(before.bytes, padded.bytes) - old_layout.bytes));
        return block;
    }

    [[no_unique_address]] Small small_;
    [[no_unique_address]] Large large_;
};

/// @brief Serves from the two heaps of the process. Has no size.
using kvmalloc = kv_allocator<kmalloc, vmalloc>;

static_assert(allocator_handle<kvmalloc> && shrinking_allocator<kvmalloc>);

} // namespace palloc::inline v0
