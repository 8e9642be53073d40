// SPDX-License-Identifier: MIT
/// @file
/// @brief kmalloc: the handle on the heap of size classes that the process has. See
/// `kmalloc_heap.hpp` for what it answers, and for heaps of your own.
#pragma once

#include <palloc/compositions/native_memory.hpp>
#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/process.hpp>
#include <palloc/kalloc/heap_options.hpp>
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

    /// @brief The heap; made by the first call, with `default_options` unless it was configured.
    [[nodiscard]] static kmalloc_heap& heap() noexcept { return made(nullptr); }

    [[nodiscard]] static heap_options default_options() noexcept { return {.name = "kmalloc"}; }
    /// @brief Makes the heap with options of the program's own, a reserve, a failure handler, caps:
    /// for `main`, before anything allocates here. What they refer to must never end.
    /// @par Errors  `outstanding` where the heap is there already, and stays as it is; those of
    ///   `fill_reserve`, after which it is there, and may be filled later
    [[nodiscard]] static result<void> configure(const heap_options& options) noexcept {
        const heap_options* wanted = &options;
        kmalloc_heap& it = made(&wanted);
        if (wanted != nullptr)
            return fail(errc::outstanding);
        return options.reserve_bytes == 0 ? result<void>() : it.fill_reserve();
    }

    // Inlined, see `realloc_through`: of what one call asks for, most is known where it stands.
    [[nodiscard]] [[gnu::always_inline]] static result<std::span<std::byte>>
    realloc(std::byte* old, const layout& wanted, const layout& old_layout, alloc_flags flags,
            numa_node node) noexcept {
        if (own.there == nullptr && !own.asked) [[unlikely]]
            begin_thread(flags);
        return own.heap->realloc_through(own.there, old, wanted, old_layout, flags, node);
    }
    [[nodiscard]] static result<std::span<std::byte>> shrink(std::byte* old, const layout& wanted,
                                                             const layout& old_layout,
                                                             alloc_flags flags) noexcept {
        return heap().shrink(old, wanted, old_layout, flags);
    }
    friend bool operator==(kmalloc, kmalloc) = default;

  private:
    /// @param options  null, or those of a heap that is not there yet, set to null when it is made.
    [[nodiscard]] static kmalloc_heap& made(const heap_options** options) noexcept {
        alignas(kmalloc_heap) static std::byte storage[sizeof(kmalloc_heap)];
        static kmalloc_heap& it = *::new (static_cast<void*>(storage)) kmalloc_heap(
            options == nullptr ? default_options() : *std::exchange(*options, nullptr),
            sparse_native_memory());
        return it;
    }

    using magazines = kmalloc_heap::magazines;

    struct thread_state {
        kmalloc_heap* heap = nullptr;
        magazines* there = nullptr;
        bool asked = false; ///< where there are none then, or none any more, it does without
    };
    static constinit thread_local thread_state own;

    /// Magazines are memory too: who may not block does without, and a later call makes them. A
    /// thread that nobody can tell the end of has none: they would be lost.
    [[gnu::noinline]] static void begin_thread(alloc_flags flags) noexcept {
        own.heap = &heap();
        if (!flags.contains(flags::may_block))
            return;
        own.asked = true;
        if (detail::call_when_thread_ends(end_thread))
            own.there = heap().make_magazines().value_or(nullptr);
    }
    static void end_thread() noexcept {
        if (auto* const gone = std::exchange(own.there, nullptr))
            heap().end_magazines(gone);
    }
};

inline constinit thread_local kmalloc::thread_state kmalloc::own;

static_assert(shrinking_allocator<kmalloc> && allocator_handle<kmalloc>);
static_assert(shrinking_allocator<kmalloc_heap> && !allocator_handle<kmalloc_heap>);

} // namespace palloc::inline v0
