// SPDX-License-Identifier: MIT
/// @file
/// @brief One object on the heap, owned; nothing about it throws for want of memory.
///
///     auto held = box<widget, kmalloc>::create(widget(7), flags::kernel);
///     if (!held)
///         return held.error().why;          // held.error().value is the widget
///     (*held)->turn();
///
/// Every call that allocates takes flags and answers a result. An object of size 0 allocates
/// nothing. The block is freed with the layout that it was allocated with. An exception of `T`'s
/// constructor goes through, and nothing is lost. Costs: a pointer, and the handle if it has a
/// size.
///
/// Source: `Box` of the Linux kernel's Rust crate.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/kalloc/page_range.hpp>
#include <palloc/kalloc/rejected.hpp>
#include <palloc/kalloc/relocation.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief Storage for a `T` in which none is alive.
template <class T>
struct uninit {
    alignas(T) std::byte storage[sizeof(T) == 0 ? 1 : sizeof(T)];
};

namespace detail {

template <class T>
inline constexpr layout layout_of{sizeof(T), alignof(T)};
template <class T>
inline constexpr layout layout_of<uninit<T>> = layout_of<T>;

} // namespace detail

template <class T, allocator_handle A>
class pinned_box;

template <class T, allocator_handle A>
class box {
    static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>);

  public:
    using element_type = T;
    using allocator_type = A;

    /// @brief What the addresses of `into_foreign` are aligned to: so many low bits are free.
    static constexpr std::size_t foreign_align = std::max<std::size_t>(alignof(T), A::min_align);

    /// @brief Holds nothing.
    box() noexcept
        requires std::default_initializable<A>
    = default;
    box(box&& other) noexcept : held_(std::exchange(other.held_, nullptr)), from_(other.from_) {}
    box& operator=(box&& other) noexcept {
        box(std::move(other)).swap(*this);
        return *this;
    }
    box(const box&) = delete;
    box& operator=(const box&) = delete;
    ~box() { reset(); }

    // ---------------------------------------------------------------- making one

    /// @brief Moves `value` into a block of its own.
    /// @par Errors  the allocator's; the value comes back
    [[nodiscard]] static accepted<box, T> create(T value, alloc_flags flags, A from = A()) {
        auto block = make_uninit(flags, from);
        if (!block)
            return reject(block.error(), std::move(value));
        return std::move(*block).write(std::move(value));
    }

    /// @brief Makes a `T` of `arguments` in a block of its own. They are untouched on failure.
    /// @par Errors  the allocator's
    template <class... Arguments>
        requires std::constructible_from<T, Arguments...>
    [[nodiscard]] static result<box> make(alloc_flags flags, Arguments&&... arguments) {
        return make_in(A(), flags, std::forward<Arguments>(arguments)...);
    }
    template <class... Arguments>
        requires std::constructible_from<T, Arguments...>
    [[nodiscard]] static result<box> make_in(A from, alloc_flags flags, Arguments&&... arguments) {
        return make_with(flags, [&] { return T(std::forward<Arguments>(arguments)...); }, from);
    }

    /// @brief Puts what `init()` answers into a block, in place: a `T` that cannot be moved too.
    /// @par Errors  the allocator's; `init` is not called then
    template <class Init>
        requires std::same_as<std::invoke_result_t<Init>, T>
    [[nodiscard]] static result<box> make_with(alloc_flags flags, Init&& init, A from = A()) {
        auto block = make_uninit(flags, from);
        if (!block)
            return tl::unexpected(block.error());
        ::new (static_cast<void*>(block->get())) T(std::invoke(std::forward<Init>(init)));
        return std::move(*block).assume_init();
    }

    /// @brief The same with an `init` that may fail: `result<void> init(T* place)` makes a `T` at
    /// `place`, or answers why not.
    /// @par Errors  the allocator's; what `init` answers, and the block is freed
    template <class Init>
        requires std::is_invocable_r_v<result<void>, Init, T*>
    [[nodiscard]] static result<box> make_with(alloc_flags flags, Init&& init, A from = A()) {
        auto block = make_uninit(flags, from);
        if (!block)
            return tl::unexpected(block.error());
        if (const result<void> done = std::invoke(std::forward<Init>(init), block->get()); !done)
            return tl::unexpected(done.error());
        return std::move(*block).assume_init();
    }

    /// @brief A block in which there is no `T` yet; zeroed where the flags say so.
    /// @par Errors  the allocator's
    [[nodiscard]] static result<box<uninit<T>, A>> make_uninit(alloc_flags flags,
                                                               A from = A()) noexcept {
        return alloc(from, block_layout, flags).map([&](std::span<std::byte> block) noexcept {
            return box<uninit<T>, A>::from_raw(reinterpret_cast<uninit<T>*>(block.data()), from);
        });
    }

    /// @brief As `create` and `make`; the object's address is promised not to change.
    [[nodiscard]] static accepted<pinned_box<T, A>, T> pin(T value, alloc_flags flags,
                                                           A from = A()) {
        return create(std::move(value), flags, from).map([](box&& made) noexcept {
            return std::move(made).into_pin();
        });
    }

    // ---------------------------------------------------------------- what is held

    [[nodiscard]] explicit operator bool() const noexcept { return held_ != nullptr; }
    [[nodiscard]] T* get() const noexcept { return held_; }
    /// @pre  Something is held.
    [[nodiscard]] T& operator*() const noexcept { return *held_; }
    [[nodiscard]] T* operator->() const noexcept { return held_; }
    [[nodiscard]] const A& allocator() const noexcept { return from_; }

    /// @brief Destroys the object and frees the block.
    void reset() noexcept {
        if (T* const gone = std::exchange(held_, nullptr)) {
            std::destroy_at(gone);
            free(from_, reinterpret_cast<std::byte*>(gone), block_layout);
        }
    }
    void swap(box& other) noexcept {
        std::swap(held_, other.held_);
        std::swap(from_, other.from_);
    }

    /// @brief The pages of the block, where it has pages of its own.
    [[nodiscard]] page_range pages() & PALLOC_LIFETIME_BOUND
            requires page_allocator<A>
    {
        return page_range::of(*this, from_.page_bytes());
    }
    /// @brief The i-th of them; its calls answer `past_the_end` where there is none.
    [[nodiscard]] borrowed_page page(std::size_t i) & PALLOC_LIFETIME_BOUND
            requires page_allocator<A>
    {
        return pages()[i];
    }
    page_range pages() &&
        requires page_allocator<A>
    = delete;
    [[nodiscard]] std::span<std::byte> page_block() const noexcept {
        return {reinterpret_cast<std::byte*>(held_),
                held_ == nullptr ? 0 : static_cast<std::size_t>(block_layout.bytes)};
    }

    // ---------------------------------------------------------------- turning it into something
    // else

    /// @brief Lets go; `from_raw` with an equal handle takes it back.
    [[nodiscard]] T* into_raw() && noexcept { return std::exchange(held_, nullptr); }
    /// @pre  `held` came out of `into_raw` or `leak` of a box with an equal handle.
    [[nodiscard]] static box from_raw(T* held, A from = A()) noexcept { return box(held, from); }
    /// @brief Lets go for good: the object lives until somebody passes it to `from_raw`.
    T& leak() && noexcept { return *std::move(*this).into_raw(); }

    /// @brief Moves the object out and frees the block; a move that throws leaves both in the box.
    /// @pre  Something is held.
    [[nodiscard]] T into_inner() &&
        requires std::move_constructible<T>
    {
        struct unless_thrown {
            box& it;
            int thrown = std::uncaught_exceptions();
            ~unless_thrown() {
                if (thrown == std::uncaught_exceptions())
                    it.reset();
            }
        } const freed{*this};
        return std::move_if_noexcept(*held_);
    }
    /// @brief Destroys the object and keeps the block.
    /// @pre  Something is held.
    [[nodiscard]] box<uninit<T>, A> drop_contents() && noexcept {
        std::destroy_at(held_);
        return box<uninit<T>, A>::from_raw(
            reinterpret_cast<uninit<T>*>(std::exchange(held_, nullptr)), from_);
    }
    [[nodiscard]] pinned_box<T, A> into_pin() && noexcept {
        return pinned_box<T, A>(std::move(*this));
    }

    /// @brief Ownership as a `void*`, for interfaces that keep one for their user.
    [[nodiscard]] void* into_foreign() && noexcept { return std::move(*this).into_raw(); }
    [[nodiscard]] static box from_foreign(void* foreign, A from = A()) noexcept {
        return from_raw(static_cast<T*>(foreign), from);
    }
    [[nodiscard]] static T& borrow(void* foreign) noexcept { return *static_cast<T*>(foreign); }

    /// @brief Whether the objects are equal; a box without one equals only another such.
    friend bool operator==(const box& a, const box& b)
        requires std::equality_comparable<T>
    {
        return a && b ? static_cast<bool>(*a == *b) : !a && !b;
    }

  private:
    static constexpr layout block_layout = detail::layout_of<T>;

    box(T* held, A from) noexcept : held_(held), from_(from) {}

    T* held_ = nullptr;
    [[no_unique_address]] A from_;
};

/// @brief A block that waits for its object.
template <class T, allocator_handle A>
class box<uninit<T>, A> {
  public:
    box(box&& other) noexcept : held_(std::exchange(other.held_, nullptr)), from_(other.from_) {}
    box& operator=(box&& other) noexcept {
        std::swap(held_, other.held_);
        std::swap(from_, other.from_);
        return *this;
    }
    box(const box&) = delete;
    box& operator=(const box&) = delete;
    ~box() {
        if (held_ != nullptr)
            free(from_, reinterpret_cast<std::byte*>(held_), detail::layout_of<T>);
    }

    /// @brief Where the object is to be made.
    [[nodiscard]] T* get() const noexcept { return reinterpret_cast<T*>(held_); }

    /// @brief Moves an object in.
    [[nodiscard]] box<T, A> write(T value) && {
        ::new (static_cast<void*>(held_)) T(std::move(value));
        return std::move(*this).assume_init();
    }
    /// @pre  A `T` was made at `get()`.
    [[nodiscard]] box<T, A> assume_init() && noexcept {
        return box<T, A>::from_raw(
            std::launder(reinterpret_cast<T*>(std::exchange(held_, nullptr))), from_);
    }

    [[nodiscard]] uninit<T>* into_raw() && noexcept { return std::exchange(held_, nullptr); }
    [[nodiscard]] static box from_raw(uninit<T>* held, A from = A()) noexcept {
        return box(held, from);
    }

  private:
    box(uninit<T>* held, A from) noexcept : held_(held), from_(from) {}

    uninit<T>* held_;
    [[no_unique_address]] A from_;
};

/// @brief An object that stays where it is until it is destroyed: it cannot be moved out, nor its
/// block be had for another one.
template <class T, allocator_handle A>
class pinned_box {
  public:
    explicit pinned_box(box<T, A>&& held) noexcept : held_(std::move(held)) {}

    [[nodiscard]] T& operator*() const noexcept { return *held_; }
    [[nodiscard]] T* operator->() const noexcept { return held_.get(); }
    [[nodiscard]] T* get() const noexcept { return held_.get(); }

  private:
    box<T, A> held_;
};

template <class T, class A>
inline constexpr bool is_trivially_relocatable<box<T, A>> = is_trivially_relocatable<A>;
template <class T, class A>
inline constexpr bool is_trivially_relocatable<pinned_box<T, A>> = is_trivially_relocatable<A>;

} // namespace palloc::inline v0
