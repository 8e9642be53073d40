// SPDX-License-Identifier: MIT
/// @file
/// @brief Allocation from a resource that may be wrong.
#pragma once

#include <cstddef>
#include <memory_resource>

namespace palloc::bench {

/// @brief As `resource.allocate`. That is declared to return aligned addresses, so a compiler may
/// take a check of them for superfluous; behind this function it cannot.
__attribute__((no_sanitize("alignment"))) inline std::byte*
allocate_from(std::pmr::memory_resource& resource, std::size_t bytes, std::size_t alignment) {
    void* block = resource.allocate(bytes, alignment);
    asm volatile("" : "+r"(block));
    return static_cast<std::byte*>(block);
}

} // namespace palloc::bench
