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
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace palloc::inline v0 {

/// @brief A type of yours that takes all its memory, and that of all its parts, from the
/// `std::pmr::memory_resource` that it is made with. Specialise it for such types: that a class has
/// an `allocator_type` does not say what else it holds.
template <class T>
inline constexpr bool all_lies_in_its_resource = false;

namespace detail {

template <class T>
struct frozen_parts { // leaves
    static constexpr bool value = destructor_may_be_skipped<T> || all_lies_in_its_resource<T>;
};
template <class... Ts>
inline constexpr bool all_may_be_frozen = (frozen_parts<std::remove_cv_t<Ts>>::value && ...);

template <class T, std::size_t N>
struct frozen_parts<T[N]> : frozen_parts<std::remove_cv_t<T>> {};
template <class T, std::size_t N>
struct frozen_parts<std::array<T, N>> : frozen_parts<std::remove_cv_t<T>> {};
template <class T>
struct frozen_parts<std::optional<T>> : frozen_parts<std::remove_cv_t<T>> {};
template <class A, class B>
struct frozen_parts<std::pair<A, B>> {
    static constexpr bool value = all_may_be_frozen<A, B>;
};
template <class... Ts>
struct frozen_parts<std::tuple<Ts...>> {
    static constexpr bool value = all_may_be_frozen<Ts...>;
};
template <class... Ts>
struct frozen_parts<std::variant<Ts...>> {
    static constexpr bool value = all_may_be_frozen<Ts...>;
};

template <class T>
using by_resource = std::pmr::polymorphic_allocator<T>;

// Containers: all memory in the pool; elements, and what compares or hashes them, likewise.
template <class C, class Traits>
struct frozen_parts<std::basic_string<C, Traits, by_resource<C>>> : frozen_parts<C> {};
template <class T>
struct frozen_parts<std::vector<T, by_resource<T>>> : frozen_parts<T> {};
template <class T>
struct frozen_parts<std::deque<T, by_resource<T>>> : frozen_parts<T> {};
template <class T>
struct frozen_parts<std::list<T, by_resource<T>>> : frozen_parts<T> {};
template <class T>
struct frozen_parts<std::forward_list<T, by_resource<T>>> : frozen_parts<T> {};
template <class K, class Less>
struct frozen_parts<std::set<K, Less, by_resource<K>>> {
    static constexpr bool value = all_may_be_frozen<K, Less>;
};
template <class K, class Less>
struct frozen_parts<std::multiset<K, Less, by_resource<K>>> {
    static constexpr bool value = all_may_be_frozen<K, Less>;
};
template <class K, class V, class Less>
struct frozen_parts<std::map<K, V, Less, by_resource<std::pair<const K, V>>>> {
    static constexpr bool value = all_may_be_frozen<K, V, Less>;
};
template <class K, class V, class Less>
struct frozen_parts<std::multimap<K, V, Less, by_resource<std::pair<const K, V>>>> {
    static constexpr bool value = all_may_be_frozen<K, V, Less>;
};
template <class K, class Hash, class Same>
struct frozen_parts<std::unordered_set<K, Hash, Same, by_resource<K>>> {
    static constexpr bool value = all_may_be_frozen<K, Hash, Same>;
};
template <class K, class Hash, class Same>
struct frozen_parts<std::unordered_multiset<K, Hash, Same, by_resource<K>>> {
    static constexpr bool value = all_may_be_frozen<K, Hash, Same>;
};
template <class K, class V, class Hash, class Same>
struct frozen_parts<std::unordered_map<K, V, Hash, Same, by_resource<std::pair<const K, V>>>> {
    static constexpr bool value = all_may_be_frozen<K, V, Hash, Same>;
};
template <class K, class V, class Hash, class Same>
struct frozen_parts<std::unordered_multimap<K, V, Hash, Same, by_resource<std::pair<const K, V>>>> {
    static constexpr bool value = all_may_be_frozen<K, V, Hash, Same>;
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
/// trivially destructible; or a container of the standard library that takes a
/// `std::pmr::memory_resource`, or a pair, tuple, array, optional or variant, of such; or it says
/// `destructor_may_be_skipped` or `all_lies_in_its_resource`. Anything else is refused.
///
/// Pointers, `std::string_view`, `std::span` and the like are leaves: they are frozen, and what
/// they point to stays where it is, writable and with the life that it has.
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
