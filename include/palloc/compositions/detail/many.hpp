// SPDX-License-Identifier: MIT
/// @file
/// @brief Several blocks from and to any pool, in one step where it can.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace palloc::inline v0::detail {

template <block_allocator Pool>
[[nodiscard]] std::size_t allocate_many(Pool& pool, std::uint64_t bytes, std::uint64_t alignment,
                                        std::span<address> room) noexcept {
    if constexpr (batch_allocator<Pool>) {
        return pool.allocate_many(bytes, alignment, room);
    } else {
        std::size_t done = 0;
        for (; done != room.size(); ++done) {
            const auto got = pool.allocate(bytes, alignment);
            if (!got)
                break;
            room[done] = *got;
        }
        return done;
    }
}

template <block_allocator Pool>
void deallocate_many(Pool& pool, std::span<const address> blocks, std::uint64_t bytes,
                     std::uint64_t alignment) noexcept {
    if constexpr (batch_allocator<Pool>)
        pool.deallocate_many(blocks, bytes, alignment);
    else
        for (const address block : blocks)
            (void)pool.deallocate(block, bytes, alignment);
}

} // namespace palloc::inline v0::detail
