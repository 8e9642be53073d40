// SPDX-License-Identifier: MIT
/// @file
/// @brief Concept: memory by layout, through one primitive that allocates, moves, resizes and
/// frees.
///
/// | expression                                    | type                           | meaning |
/// |-----------------------------------------------|--------------------------------|--------------|
/// | `A::min_align`                                | a constant power of two | every block is
/// aligned to it | | `a.realloc(old, wanted, old_layout, flags, node)` |
/// `result<std::span<std::byte>>` | see below |
///
/// `realloc`, where `old_layout.bytes` is 0: `old` is ignored, there is no old block.
/// Where `wanted.bytes` is 0: the old block is freed, and the answer is `dangling(alignment)`,
/// which is aligned and not null, and of length 0; this cannot fail, but where the alignment is
/// none: that is `bad_alignment` for every size. Else: the answer is aligned to `wanted.alignment`,
/// has `wanted.bytes` bytes or more, and its first min(old, new) bytes are those of the old block,
/// whose address is no longer valid. With `flags::zero` the bytes from the old size to the new are
/// 0, whatever earlier calls said. A failure leaves the old block as it was. The node is a wish for
/// new memory; a block that can stay where it is stays.
///
/// `old_layout` is the layout of the last call that answered `old`; flags and node may differ.
/// Minimal model: `archetypes::typed_allocator`. Refinements: `shrinking_allocator` gives back what
/// `realloc` would keep; `page_allocator` hands out whole pages. Not promised: thread safety; that
/// an allocator is copyable (`allocator_handle`).
///
/// Source: the `Allocator` trait of the Linux kernel's Rust crate.
#pragma once

#include <palloc/core/alloc_flags.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/numa_node.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace palloc::inline v0 {

template <class A>
concept typed_allocator =
    requires(A& a, std::byte* old, const layout& of, alloc_flags flags, numa_node node) {
        requires is_power_of_two(std::uint64_t{A::min_align});
        {
            a.realloc(old, of, of, flags, node)
        } noexcept -> std::same_as<result<std::span<std::byte>>>;
    };

/// @brief Small enough to be kept by every object that allocates: all copies serve from one heap.
template <class A>
concept allocator_handle = typed_allocator<A> && std::is_nothrow_copy_constructible_v<A> &&
                           std::is_nothrow_copy_assignable_v<A>;

/// @brief `a.shrink(old, wanted, old_layout, flags)` is `realloc` to a size that is not larger, and
/// gives back as much memory as it can, moving the block if it must.
template <class A>
concept shrinking_allocator =
    typed_allocator<A> && requires(A& a, std::byte* old, const layout& of, alloc_flags flags) {
        { a.shrink(old, of, of, flags) } noexcept -> std::same_as<result<std::span<std::byte>>>;
    };

/// @brief Every block is whole pages of its own, so that they can be walked one by one.
template <class A>
concept page_allocator = typed_allocator<A> && requires(const A& a) {
    { a.page_bytes() } noexcept -> std::same_as<std::size_t>;
};

/// @brief An address that is aligned, not null, and holds nothing.
/// @pre  `alignment` is a power of two.
[[nodiscard]] inline std::byte* dangling(std::uint64_t alignment) noexcept {
    return reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(alignment));
}

/// @brief A block: `realloc` of nothing.
/// @par Errors  the allocator's
template <typed_allocator A>
[[nodiscard]] result<std::span<std::byte>> alloc(A& from, const layout& wanted, alloc_flags flags,
                                                 numa_node node = no_node) noexcept {
    return from.realloc(nullptr, wanted, {0, wanted.alignment}, flags, node);
}

/// @brief Frees a block: `realloc` to nothing.
template <typed_allocator A>
void free(A& from, std::byte* block, const layout& old_layout) noexcept {
    (void)from.realloc(block, {0, 1}, old_layout, {}, no_node);
}

/// @brief `realloc` to a size that is not larger, giving back what can be.
/// @par Errors  the allocator's; the block is as it was
template <typed_allocator A>
[[nodiscard]] result<std::span<std::byte>> shrink(A& from, std::byte* block, const layout& wanted,
                                                  const layout& old_layout,
                                                  alloc_flags flags) noexcept {
    if constexpr (shrinking_allocator<A>)
        return from.shrink(block, wanted, old_layout, flags);
    else
        return from.realloc(block, wanted, old_layout, flags, no_node);
}

/// @brief A handle on a heap that must outlive it and what is allocated through it.
template <typed_allocator Heap>
class allocator_ref {
  public:
    static constexpr std::size_t min_align = Heap::min_align;

    // NOLINTNEXTLINE(google-explicit-constructor): a reference should bind as one
    allocator_ref(Heap& heap) noexcept : heap_(&heap) {}

    [[nodiscard]] result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node node) noexcept {
        return heap_->realloc(old, wanted, old_layout, flags, node);
    }
    [[nodiscard]] result<std::span<std::byte>> shrink(std::byte* old, const layout& wanted,
                                                      const layout& old_layout,
                                                      alloc_flags flags) noexcept
        requires shrinking_allocator<Heap>
    {
        return heap_->shrink(old, wanted, old_layout, flags);
    }
    [[nodiscard]] std::size_t page_bytes() const noexcept
        requires page_allocator<Heap>
    {
        return heap_->page_bytes();
    }

    [[nodiscard]] Heap& heap() const noexcept { return *heap_; }
    friend bool operator==(allocator_ref, allocator_ref) = default;

  private:
    Heap* heap_;
};

} // namespace palloc::inline v0
