// SPDX-License-Identifier: MIT
/// @file
/// @brief kmalloc: the handle on the heap of size classes that the process has. See
/// `kmalloc_heap.hpp` for what it answers, and for heaps of your own.
#pragma once

#include <palloc/compositions/native_memory.hpp>
#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/kalloc/kmalloc_heap.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief A heap over anonymous memory of the process.
using kmalloc_heap = basic_kmalloc_heap<native_memory>;

/// @brief Serves from the one heap of the process, which never ends. Has no size.
class kmalloc {
  public:
    static constexpr std::size_t min_align = kmalloc_heap::min_align;
    static constexpr std::uint64_t max_bytes = kmalloc_heap::max_bytes;

    /// @brief The heap.
    [[nodiscard]] static kmalloc_heap& heap() noexcept {
        alignas(kmalloc_heap) static std::byte storage[sizeof(kmalloc_heap)];
        static kmalloc_heap& it = *::new (static_cast<void*>(storage))
                                      kmalloc_heap({.name = "kmalloc"}, sparse_native_memory());
        return it;
    }

    [[nodiscard]] static result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                              const layout& old_layout,
                                                              alloc_flags flags,
                                                              numa_node node) noexcept {
        if (own.there == nullptr && !own.asked) [[unlikely]]
            make_own_magazines();
        return own.heap->realloc_through(own.there, old, wanted, old_layout, flags, node);
    }
    [[nodiscard]] static result<std::span<std::byte>> shrink(std::byte* old, const layout& wanted,
                                                             const layout& old_layout,
                                                             alloc_flags flags) noexcept {
        return heap().shrink(old, wanted, old_layout, flags);
    }
    friend bool operator==(kmalloc, kmalloc) = default;

  private:
    using magazines = kmalloc_heap::magazines;

    struct thread_state {
        kmalloc_heap* heap = nullptr;
        magazines* there = nullptr;
        bool asked = false; ///< where there are none then, or none any more, it does without
    };
    static constinit thread_local thread_state own;

    [[gnu::noinline]] static void make_own_magazines() noexcept {
        struct end {
            ~end() {
                if (auto* const gone = std::exchange(own.there, nullptr))
                    heap().end_magazines(gone);
            }
        };
        own.asked = true;
        own.heap = &heap();
        own.there = heap().make_magazines().value_or(nullptr);
        static thread_local const end with_the_thread;
        (void)with_the_thread;
    }
};

inline constinit thread_local kmalloc::thread_state kmalloc::own;

static_assert(shrinking_allocator<kmalloc> && allocator_handle<kmalloc>);
static_assert(shrinking_allocator<kmalloc_heap> && !allocator_handle<kmalloc_heap>);

} // namespace palloc::inline v0
