// SPDX-License-Identifier: MIT
/// @file
/// @brief The backings that named allocators stand on, on the system that this is built for.
///
/// | alias              | Linux          | Windows           | what it is                            |
/// |--------------------|----------------|-------------------|---------------------------------------|
/// | `native_memory`    | `mmap_backing` | `committed_alloc` | private memory, there once mapped     |
/// | `native_addresses` | `reserve`      | `virtual_alloc`   | addresses first, pages block by block |
/// | `native_views`     | `memfd`        | `section`         | memory that is shown twice, and sealed |
#pragma once

#if defined(_WIN32)
#include <palloc/backings/section.hpp>
#include <palloc/backings/virtual_alloc.hpp>
#else
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/reserve.hpp>
#endif

#include <cstdint>

namespace palloc::inline v0 {

#if defined(_WIN32)
using native_memory = committed_alloc;
using native_addresses = virtual_alloc;
using native_views = section;
#else
using native_memory = mmap_backing;
using native_addresses = reserve;
using native_views = memfd;
#endif

/// @brief Memory of which most will stay untouched. Linux promises none of it; on Windows all is
/// promised, so that pieces are smaller.
[[nodiscard]] inline native_memory sparse_native_memory() noexcept {
#if defined(_WIN32)
    return native_memory();
#else
    return native_memory(mmap_options{.reserve_swap = false});
#endif
}

/// @brief How much of it is taken at a time.
#if defined(_WIN32)
inline constexpr std::uint64_t sparse_step_bytes = std::uint64_t{4} << 20;
#else
inline constexpr std::uint64_t sparse_step_bytes = std::uint64_t{64} << 20;
#endif

} // namespace palloc::inline v0
