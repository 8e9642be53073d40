// SPDX-License-Identifier: MIT
/// @file
/// @brief Objects in a row that grow; nothing about it throws for want of memory.
///
///     vec<int, kvmalloc> numbers;
///     if (auto pushed = numbers.push(7, flags::kernel); !pushed)
///         return pushed.error().why;        // pushed.error().value is the 7
///
/// Every call that allocates takes flags and answers a result; on failure the vector is as it was,
/// and the element that was passed comes back. So it is when a copy or a constructor of `T` throws.
/// Elements that are trivially relocatable grow by the allocator's `realloc`, which over mapped
/// pages does not touch them; others are moved, or copied where a move may throw. Less is promised
/// where a `T` can only be moved, and that throws, and where elements are moved in place, by
/// `insert_within_capacity`, `remove` and `retain`: docs/kalloc.md has the table.
///
/// Capacity grows to max(2 capacity, what is needed). There is room for any number of elements of
/// size 0, in no memory; the vector's own iterators count them, pointers cannot.
/// Source: `Vec` of the Linux kernel's Rust crate.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/error.hpp>
#include <palloc/kalloc/array_layout.hpp>
#include <palloc/kalloc/detail/element_range.hpp>
#include <palloc/kalloc/detail/raw_array.hpp>
#include <palloc/kalloc/page_range.hpp>
#include <palloc/kalloc/rejected.hpp>
#include <palloc/kalloc/relocation.hpp>

#include <algorithm>
#include <compare>
#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

template <class T, allocator_handle A>
class drained;
template <class T, allocator_handle A>
class vec_into_iter;

template <class T, allocator_handle A>
class vec {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>);

  public:
    using value_type = T;
    using allocator_type = A;
    using iterator = detail::element_iterator<T>;
    using const_iterator = detail::element_iterator<const T>;

    /// @brief Empty; allocates nothing.
    vec() noexcept
        requires std::default_initializable<A>
    = default;
    explicit vec(A from) noexcept : store_(from) {}
    vec(vec&& other) noexcept
        : store_(std::move(other.store_)), size_(std::exchange(other.size_, 0)) {}
    vec& operator=(vec&& other) noexcept {
        vec(std::move(other)).swap(*this);
        return *this;
    }
    vec(const vec&) = delete; ///< may fail: `clone`
    vec& operator=(const vec&) = delete;
    ~vec() { clear(); }

    // ---------------------------------------------------------------- making one

    /// @par Errors  `too_large`; the allocator's
    [[nodiscard]] static result<vec> with_capacity(std::size_t count, alloc_flags flags,
                                                   A from = A()) {
        vec made(from);
        return made.reserve(count, flags).map([&]() noexcept { return std::move(made); });
    }
    /// @brief `count` copies of `value`.
    /// @par Errors  `too_large`; the allocator's; the value comes back
    [[nodiscard]] static accepted<vec, T> from_elem(T value, std::size_t count, alloc_flags flags,
                                                    A from = A()) {
        vec made(from);
        auto done = made.extend_with(count, std::move(value), flags);
        return std::move(done).map([&]() noexcept { return std::move(made); });
    }
    /// @brief The elements of a range, copied or, from a range of rvalues, moved.
    /// @par Errors  `too_large`; the allocator's
    template <std::ranges::input_range Range>
    [[nodiscard]] static result<vec> collect(Range&& elements, alloc_flags flags, A from = A()) {
        vec made(from);
        return made.extend(std::forward<Range>(elements), flags).map([&]() noexcept {
            return std::move(made);
        });
    }
    /// @brief `of({a, b, c}, flags)`; the elements are moved.
    template <std::size_t Count>
    [[nodiscard]] static result<vec> of(T (&&elements)[Count], alloc_flags flags, A from = A()) {
        vec made(from);
        if (const auto room = made.reserve(Count, flags); !room)
            return tl::unexpected(room.error());
        for (std::size_t i = 0; i != Count; ++i)
            made.append(std::move(elements[i]));
        return made;
    }
    /// @brief A copy with room for just its elements.
    [[nodiscard]] result<vec> clone(alloc_flags flags) const
        requires std::copy_constructible<T>
    {
        return collect(*this, flags, store_.from());
    }

    /// @pre  The parts came out of `into_raw_parts` of a vector with an equal handle.
    [[nodiscard]] static vec from_raw_parts(raw_parts<T> parts, A from = A()) noexcept {
        vec made(from);
        made.store_.adopt(parts.data, parts.capacity);
        made.size_ = parts.size;
        return made;
    }
    /// @brief Lets go of block and elements.
    [[nodiscard]] raw_parts<T> into_raw_parts() && noexcept {
        const std::size_t capacity = this->capacity();
        return {store_.let_go(), std::exchange(size_, 0), capacity};
    }

    // ---------------------------------------------------------------- looking at it

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// @brief Elements that there is room for; of a `T` of size 0, the largest number there is.
    [[nodiscard]] std::size_t capacity() const noexcept { return store_.capacity(); }
    [[nodiscard]] const A& allocator() const noexcept { return store_.from(); }

    [[nodiscard]] T* data() noexcept { return store_.first(); }
    [[nodiscard]] const T* data() const noexcept { return store_.first(); }
    [[nodiscard]] std::span<T> span() noexcept { return {data(), size_}; }
    [[nodiscard]] std::span<const T> span() const noexcept { return {data(), size_}; }
    [[nodiscard]] iterator begin() noexcept { return detail::element_at(data(), 0); }
    [[nodiscard]] iterator end() noexcept { return detail::element_at(data(), size_); }
    [[nodiscard]] const_iterator begin() const noexcept { return detail::element_at(data(), 0); }
    [[nodiscard]] const_iterator end() const noexcept { return detail::element_at(data(), size_); }
    /// @pre  `i < size()`
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data()[i]; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data()[i]; }
    /// @brief The i-th, or null.
    [[nodiscard]] T* get(std::size_t i) noexcept { return i < size_ ? data() + i : nullptr; }
    /// @pre  not empty
    [[nodiscard]] T& front() noexcept { return data()[0]; }
    [[nodiscard]] T& back() noexcept { return data()[size_ - 1]; }

    /// @brief Room behind the elements: make objects there, then `inc_len`.
    [[nodiscard]] T* spare() noexcept { return data() + size_; }
    [[nodiscard]] std::size_t spare_capacity() const noexcept { return capacity() - size_; }
    /// @pre  The next `count` objects were made.
    void inc_len(std::size_t count) noexcept { size_ += count; }

    /// @brief The pages of the block, all of its capacity, where it has pages of its own.
    [[nodiscard]] page_range pages() & PALLOC_LIFETIME_BOUND
            requires page_allocator<A>
    {
        return page_range::of(*this, store_.from().page_bytes());
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
    [[nodiscard]] std::span<std::byte> page_block() const noexcept { return store_.bytes(); }

    // ---------------------------------------------------------------- room, and what is put there

    /// @brief Makes room for `additional` more elements.
    /// @par Errors  `too_large`; the allocator's; unchanged
    [[nodiscard]] result<void> reserve(std::size_t additional, alloc_flags flags) {
        if (additional <= spare_capacity()) [[likely]]
            return {};
        return store_.grow_for(size_, additional, flags);
    }
    /// @brief Gives back room beyond max(`least`, size); all of it where that is 0.
    /// @par Errors  the allocator's; unchanged
    [[nodiscard]] result<void> shrink_to(std::size_t least, alloc_flags flags) {
        const std::size_t wanted = std::max(size_, least);
        if (sizeof(T) == 0 || wanted >= capacity())
            return {};
        return store_.set_capacity(size_, array_layout<T>::make_unchecked(wanted), flags);
    }

    /// @brief Appends.
    /// @par Errors  `too_large`; the allocator's; the value comes back
    /// @par Complexity  amortised O(1)
    [[nodiscard]] accepted<void, T> push(T value, alloc_flags flags) {
        if (size_ == capacity()) [[unlikely]]
            if (const auto room = store_.grow_for(size_, 1, flags); !room) [[unlikely]]
                return reject(room.error(), std::move(value));
        append(std::move(value));
        return {};
    }
    /// @brief Makes an element of `arguments` at the end; they are untouched on failure.
    /// @pre  They refer to nothing in the vector.
    /// @par Errors  `too_large`; the allocator's
    template <class... Arguments>
        requires std::constructible_from<T, Arguments...>
    [[nodiscard]] result<void> emplace(alloc_flags flags, Arguments&&... arguments) {
        return reserve(1, flags).map([&] { append(std::forward<Arguments>(arguments)...); });
    }
    /// @brief Appends where there is room; never allocates.
    /// @par Errors  `no_room`; the value comes back
    [[nodiscard]] accepted<void, T> push_within_capacity(T value) {
        if (size_ == capacity())
            return reject({errc::no_room}, std::move(value));
        append(std::move(value));
        return {};
    }
    /// @brief Inserts before the i-th element where there is room; never allocates.
    /// @par Errors  `past_the_end` where i > size; `no_room`; the value comes back
    [[nodiscard]] accepted<void, T> insert_within_capacity(std::size_t i, T value)
        requires std::movable<T>
    {
        if (i > size_)
            return reject({errc::past_the_end}, std::move(value));
        if (size_ == capacity())
            return reject({errc::no_room}, std::move(value));
        append(std::move(value));
        detail::bring_last_to(data(), i, size_);
        return {};
    }
    /// @brief Appends `count` copies of `value`, of which the last is the value itself.
    /// @par Errors  `too_large`; the allocator's; the value comes back
    [[nodiscard]] accepted<void, T> extend_with(std::size_t count, T value, alloc_flags flags)
        requires std::copy_constructible<T>
    {
        if (const auto room = reserve(count, flags); !room)
            return reject(room.error(), std::move(value));
        if (count == 0)
            return {};
        detail::shortening<vec> rollback{*this, size_};
        for (std::size_t made = 1; made != count; ++made)
            append(std::as_const(value));
        append(std::move(value));
        rollback.to = size_;
        return {};
    }
    /// @brief Appends copies; the elements may be the vector's own.
    /// @par Errors  `too_large`; the allocator's
    [[nodiscard]] result<void> extend_from_slice(std::span<const T> elements, alloc_flags flags)
        requires std::copy_constructible<T>
    {
        const auto own = detail::index_in<T>(elements.data(), data(), size_);
        if (const auto room = reserve(elements.size(), flags); !room)
            return room;
        const T* const source = own ? data() + *own : elements.data();
        detail::shortening<vec> rollback{*this, size_};
        for (std::size_t i = 0; i != elements.size(); ++i)
            append(source[i]);
        rollback.to = size_;
        return {};
    }
    /// @brief Appends the elements of a range, which are none of the vector's own.
    /// @par Errors  `too_large`; the allocator's; what was read of one pass without a size is lost
    template <std::ranges::input_range Range>
        requires std::constructible_from<T, std::ranges::range_reference_t<Range>>
    [[nodiscard]] result<void> extend(Range&& elements, alloc_flags flags) {
        auto&& row = detail::told_apart(elements);
        std::size_t count = 0;
        if constexpr (std::ranges::sized_range<Range> || std::ranges::forward_range<Range>)
            count = static_cast<std::size_t>(std::ranges::distance(row));
        if (const auto room = reserve(count, flags); !room)
            return room;
        detail::shortening<vec> rollback{*this, size_};
        for (auto&& each : row) {
            if (const auto room = reserve(1, flags); !room)
                return room;
            append(std::forward<decltype(each)>(each));
        }
        rollback.to = size_;
        return {};
    }
    /// @brief Shortens, or lengthens by copies of `value`.
    /// @par Errors  `too_large`; the allocator's; the value comes back
    [[nodiscard]] accepted<void, T> resize(std::size_t count, T value, alloc_flags flags)
        requires std::copy_constructible<T>
    {
        if (count > size_)
            return extend_with(count - size_, std::move(value), flags);
        truncate(count);
        return {};
    }

    // ---------------------------------------------------------------- taking away

    /// @brief The last element, taken out; none of an empty vector.
    [[nodiscard]] std::optional<T> pop() {
        std::optional<T> last; // made where it is answered: to move it may throw
        if (size_ != 0) {
            last.emplace(std::move_if_noexcept(back()));
            truncate(size_ - 1);
        }
        return last;
    }
    /// @brief The i-th element, taken out; those behind it move up.
    /// @par Errors  `past_the_end`
    [[nodiscard]] result<T> remove(std::size_t i)
        requires std::movable<T>
    {
        // Made where it is answered: to move a result of which `T` throws ends the program.
        result<T> taken =
            i < size_ ? result<T>(std::move_if_noexcept(data()[i])) : fail(errc::past_the_end);
        if (taken) {
            detail::bring_to_end(data(), i, size_);
            truncate(size_ - 1);
        }
        return taken;
    }
    void clear() noexcept { truncate(0); }
    /// @brief Destroys all but the first `count`; as with `clear`, the block stays.
    void truncate(std::size_t count) noexcept {
        if (count >= size_)
            return;
        const std::size_t before = std::exchange(size_, count);
        if constexpr (!std::is_trivially_destructible_v<T>)
            for (std::size_t i = count; i != before; ++i)
                std::destroy_at(data() + i);
    }
    /// @brief Keeps the elements, in their order, for which `keep(element)` answers true; the
    /// others are destroyed at the end.
    template <std::predicate<T&> Keep>
    void retain(Keep&& keep)
        requires std::swappable<T>
    {
        std::size_t kept = 0;
        for (std::size_t i = 0; i != size_; ++i)
            if (std::invoke(keep, data()[i])) {
                if (i != kept)
                    detail::exchange_objects(data()[i], data()[kept]);
                ++kept;
            }
        truncate(kept);
    }
    /// @brief Takes all elements out at once, to be walked; those that are not taken are destroyed
    /// with what this answers. The block stays.
    /// @pre  The vector is not changed, nor ended, before what this answers is.
    [[nodiscard]] drained<T, A> drain_all() & PALLOC_LIFETIME_BOUND {
        return drained<T, A>(data(), std::exchange(size_, 0));
    }
    drained<T, A> drain_all() && = delete;
    /// @brief The elements, to be walked by value, and collected again into the same block.
    [[nodiscard]] vec_into_iter<T, A> into_iter() && noexcept {
        return vec_into_iter<T, A>(std::move(*this));
    }

    void swap(vec& other) noexcept {
        store_.swap(other.store_);
        std::swap(size_, other.size_);
    }

    template <class U, allocator_handle B>
        requires std::equality_comparable_with<T, U>
    friend bool operator==(const vec& a, const vec<U, B>& b) {
        return std::ranges::equal(a, b);
    }
    friend bool operator==(const vec& a, std::span<const T> b) {
        return std::ranges::equal(a, detail::told_apart(b));
    }
    friend auto operator<=>(const vec& a, const vec& b)
        requires std::three_way_comparable<T>
    {
        return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
    }

  private:
    friend class vec_into_iter<T, A>;

    template <class... Arguments>
    void
    append(Arguments&&... arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>) {
        ::new (static_cast<void*>(data() + size_)) T(std::forward<Arguments>(arguments)...);
        ++size_;
    }

    detail::raw_array<T, A> store_;
    std::size_t size_ = 0;
};

template <class T, class A>
inline constexpr bool is_trivially_relocatable<vec<T, A>> = is_trivially_relocatable<A>;

} // namespace palloc::inline v0
