// SPDX-License-Identifier: MIT
/// @file
/// @brief Containers in protected pools: copied there, protected, read at full speed.
///
/// The rule about destructors: what is frozen is never destroyed. The destructor of a container
/// would write into memory that cannot be written; it need not run, because all that the container
/// has lies in the pool, and goes when the pool goes. So only types may be frozen of which that is
/// known: `may_be_frozen<T>`, and a frozen container is only ever seen as const.
///
///     const auto rules = freeze(parsed, {.name = "rules"}).value();
///     rules->find("allow");
#pragma once

#include <palloc/bridges/memory_resource.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/pmalloc.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

namespace detail {

template <class T>
concept allocates_by_resource =
    std::uses_allocator_v<T, std::pmr::polymorphic_allocator<std::byte>>;

template <class T>
struct frozen_parts { // leaves
    static constexpr bool value = destructor_may_be_skipped<T>;
};
template <class A, class B>
struct frozen_parts<std::pair<A, B>> {
    static constexpr bool value =
        frozen_parts<std::remove_cv_t<A>>::value && frozen_parts<std::remove_cv_t<B>>::value;
};
template <class... Ts>
struct frozen_parts<std::tuple<Ts...>> {
    static constexpr bool value = (frozen_parts<std::remove_cv_t<Ts>>::value && ...);
};
template <class T>
    requires(allocates_by_resource<T> && requires { typename T::value_type; })
struct frozen_parts<T> { // containers: all memory in the pool, elements likewise
    static constexpr bool value = frozen_parts<typename T::value_type>::value;
};
template <class T>
    requires(allocates_by_resource<T> && !requires { typename T::value_type; })
struct frozen_parts<T> { // types of the user that take a resource say so themselves
    static constexpr bool value = true;
};

/// @brief Sums what passes, in whole granules: how large the pool has to be.
class measuring_resource final : public std::pmr::memory_resource {
  public:
    measuring_resource(std::uint64_t granule, std::uint64_t alignment) noexcept
        : granule_(granule), alignment_(alignment) {}
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const block = std::pmr::new_delete_resource()->allocate(bytes, alignment);
        bytes_ += (bytes + granule_) / granule_ * granule_ +
                  std::max<std::uint64_t>(alignment, alignment_);
        return block;
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
    }
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::uint64_t granule_;
    std::uint64_t alignment_;
    std::uint64_t bytes_ = 0;
};

/// @brief A block whose contents may be made in place.
[[nodiscard]] inline result<void*> writable_room(pmalloc& pool, std::uint64_t bytes,
                                                 std::uint64_t alignment) noexcept {
    auto block = pool.alloc_aligned(bytes, alignment);
    if (!block || pool.achieved(reinterpret_cast<address>(*block)) == strength::none)
        return block;
    (void)pool.free(*block);
    return fail(errc::not_supported);
}

/// @brief Gives blocks back whose contents could not be made.
struct unless_made {
    pmalloc& pool;
    std::array<void*, 2> blocks;
    ~unless_made() {
        for (void* const each : blocks)
            if (each != nullptr)
                (void)pool.free(each);
    }
};

} // namespace detail

/// @brief Nothing is lost where its destructor does not run, if its memory comes from a pool: it is
/// trivially destructible, or a container of such that takes a `std::pmr::memory_resource`, or it
/// says `destructor_may_be_skipped`.
template <class T>
concept may_be_frozen = detail::frozen_parts<std::remove_cv_t<T>>::value;

/// @brief A container in a protected pool of its own.
template <class T>
class frozen {
  public:
    /// @pre  `value` and all it has lie in `pool`, which is protected; `freeze` sees to it.
    frozen(pmalloc::handle pool, const T* value) noexcept : pool_(std::move(pool)), value_(value) {}

    [[nodiscard]] const T& operator*() const noexcept { return *value_; }
    [[nodiscard]] const T* operator->() const noexcept { return value_; }
    /// @brief What it achieved.
    [[nodiscard]] strength achieved() const noexcept { return pool_->achieved(); }
    [[nodiscard]] const pmalloc& pool() const noexcept { return *pool_; }

  private:
    pmalloc::handle pool_;
    const T* value_;
};

/// @brief The memory resource of a pool, in the pool: protected with what it serves.
/// @par Errors  those of `alloc`; `not_supported`: the pool's areas are never writable
[[nodiscard]] inline result<std::pmr::memory_resource*> resource_in(pmalloc& pool) noexcept {
    using resource = pool_resource<pmalloc>;
    return detail::writable_room(pool, sizeof(resource), alignof(resource))
        .map([&](void* place) -> std::pmr::memory_resource* {
            return ::new (place) resource(pool);
        });
}

/// @brief A `T` in the pool whose memory is the pool's. It is never destroyed.
/// @par Errors  those of `resource_in`; what the constructor throws, `std::bad_alloc` where the
/// pool
///   has no room. What was allocated for it is given back.
template <may_be_frozen T, class... Args>
[[nodiscard]] result<T*> make_in(pmalloc& pool, Args&&... args) {
    const auto resource = resource_in(pool);
    if (!resource)
        return tl::unexpected(resource.error());
    detail::unless_made back{pool, {*resource, nullptr}};
    const auto place = detail::writable_room(pool, sizeof(T), alignof(T));
    if (!place)
        return tl::unexpected(place.error());
    back.blocks[1] = *place;
    const std::pmr::polymorphic_allocator<std::byte> memory(*resource);
    T* const made = std::uninitialized_construct_using_allocator(static_cast<T*>(*place), memory,
                                                                 std::forward<Args>(args)...);
    back.blocks = {};
    return made;
}

/// @brief Copies a container with all that it holds into one area of a pool, and protects it.
///
/// It is copied twice: once to measure, so that the area has the right size.
/// @par Errors  `not_supported`: a mode in which areas are closed before the copy is whole; those
/// of
///   creating, filling and protecting a pool; what copying throws
template <may_be_frozen C>
[[nodiscard]] result<frozen<C>> freeze(const C& source, pmalloc_options options) {
    if (options.mode != pmalloc_mode::ro && options.mode != pmalloc_mode::wr)
        return fail(errc::not_supported);
    if (options.granule_order >= 32 || !is_power_of_two(options.alignment))
        return fail(errc::bad_argument);
    detail::measuring_resource measure(std::uint64_t{1} << options.granule_order,
                                       options.alignment);
    {
        const std::pmr::polymorphic_allocator<std::byte> memory(&measure);
        const C copy = std::make_obj_using_allocator<C>(memory, source);
    }
    auto pool = pmalloc::create(options);
    if (!pool)
        return tl::unexpected(pool.error());
    if (const auto mapped =
            (*pool)->preload(measure.bytes() + sizeof(C) + 512 + 4 * options.alignment);
        !mapped)
        return tl::unexpected(mapped.error());
    const auto made = make_in<C>(**pool, source);
    if (!made)
        return tl::unexpected(made.error());
    if (const auto done = (*pool)->protect(); !done)
        return tl::unexpected(done.error());
    return frozen<C>(std::move(*pool), *made);
}

} // namespace palloc::inline v0
