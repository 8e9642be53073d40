// SPDX-License-Identifier: MIT
/// @file
/// @brief What any part of a composition says about the sizes of its blocks.
///
/// Pools are asked with sizes alone, compositions with the alignment too, which may decide where a
/// block comes from.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pool_options.hpp>

#include <cstdint>
#include <type_traits>

namespace palloc::inline v0::detail {

/// @brief Tells what a block may use, resizes it in place, and explains what it refuses.
template <class P>
concept tells_sizes = block_allocator<std::remove_cvref_t<P>> &&
                      requires(std::remove_cvref_t<P>& p, std::uint64_t n, address block) {
                          p.usable_bytes(n);
                          p.resize(block, n, n);
                          p.explain({.bytes = n, .alignment = n});
                      };

template <tells_sizes P>
[[nodiscard]] std::uint64_t usable_bytes(const P& part, std::uint64_t bytes,
                                         std::uint64_t alignment) noexcept {
    if constexpr (requires { part.usable_bytes(bytes, alignment); })
        return part.usable_bytes(bytes, alignment);
    else
        return part.usable_bytes(bytes);
}

template <tells_sizes P>
[[nodiscard]] result<void> resize(P& part, address block, std::uint64_t old_bytes,
                                  std::uint64_t new_bytes, std::uint64_t alignment) noexcept {
    if constexpr (requires { part.resize(block, old_bytes, new_bytes, alignment); })
        return part.resize(block, old_bytes, new_bytes, alignment);
    else
        return part.resize(block, old_bytes, new_bytes);
}

template <tells_sizes P>
[[nodiscard]] explanation explain(P& part, layout wanted) noexcept {
    return part.explain({.bytes = wanted.bytes, .alignment = wanted.alignment});
}

/// @brief Where a block stays what it is: it is not resized out of its part or class.
[[nodiscard]] inline result<void> stays_unless(bool elsewhere, std::uint64_t new_bytes) noexcept {
    if (new_bytes == 0)
        return fail(errc::zero_size);
    return elsewhere ? result<void>(fail(errc::no_room)) : result<void>();
}

} // namespace palloc::inline v0::detail
