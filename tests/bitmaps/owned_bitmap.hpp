// SPDX-License-Identifier: MIT
/// @file
/// @brief A bitmap with storage of its own.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>

#include <cstddef>
#include <vector>

namespace palloc::test {

template <chunk_bitmap Bitmap>
struct owned_bitmap {
    struct alignas(storage_alignment) line {
        std::byte bytes[storage_alignment];
    };

    explicit owned_bitmap(std::size_t granules)
        : storage(Bitmap::storage_bytes(granules) / sizeof(line) + 1),
          map(storage.front().bytes, granules) {}

    /// @brief The same map at another address.
    owned_bitmap(const owned_bitmap& other)
        : storage(other.storage), map(storage.front().bytes, other.map.size()) {}

    std::vector<line> storage;
    Bitmap map;
};

} // namespace palloc::test
