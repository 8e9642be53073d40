// SPDX-License-Identifier: MIT
// What the concept of typed allocators asks for, and that box and vec use no more than that.
#include <palloc/concepts/archetypes.hpp>
#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/kalloc.hpp>

#include <cstddef>
#include <span>

#include "one_thing_broken.hpp"

namespace palloc::inline v0 {

namespace a = archetypes;

template class box<int, a::allocator_handle>;
template class vec<int, a::allocator_handle>;
template class vec<int, a::page_allocator_handle>;
template class allocator_ref<a::typed_allocator>;
template class vec_into_iter<int, a::allocator_handle>;
template class pinned_slice<int, a::allocator_handle>;

namespace negatives {

using bytes = std::span<std::byte>;

PALLOC_ASKS_FOR(typed_allocator, a::typed_allocator, result<bytes>,
                realloc(std::byte*, const layout&, const layout&, alloc_flags, numa_node))
PALLOC_BREAKS(typed_allocator, a::typed_allocator, static constexpr std::size_t min_align = 8,
              static constexpr std::size_t min_align = 12)
PALLOC_BREAKS(typed_allocator, a::typed_allocator, static constexpr std::size_t min_align = 1,
              static constexpr std::size_t min_align = 0)

struct cannot_be_copied : a::allocator_handle {
    cannot_be_copied(const cannot_be_copied&) = delete;
    cannot_be_copied& operator=(const cannot_be_copied&) noexcept;
};
struct copying_may_throw : a::allocator_handle {
    copying_may_throw(const copying_may_throw&);
    copying_may_throw& operator=(const copying_may_throw&) noexcept;
};
static_assert(allocator_handle<a::allocator_handle> && !allocator_handle<cannot_be_copied> &&
              !allocator_handle<copying_may_throw>);

struct shrinking : a::allocator_handle {
    result<bytes> shrink(std::byte*, const layout&, const layout&, alloc_flags) noexcept;
};
PALLOC_ASKS_FOR(shrinking_allocator, shrinking, result<bytes>,
                shrink(std::byte*, const layout&, const layout&, alloc_flags))
PALLOC_ASKS_FOR_CONST(page_allocator, a::page_allocator_handle, std::size_t, page_bytes())

} // namespace negatives

static_assert(flags::kernel.contains(flags::may_block) &&
              !flags::atomic.contains(flags::may_block));
static_assert(flags::kernel_account.contains(flags::account | flags::may_block));
static_assert(flags::nowait == flags::no_warn && flags::nowait.contains({}));
static_assert((flags::kernel & ~flags::kernel) == alloc_flags{} &&
              alloc_flags::from_bits(~0U) == ~alloc_flags{});

} // namespace palloc::inline v0
