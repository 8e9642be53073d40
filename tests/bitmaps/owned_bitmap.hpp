// SPDX-License-Identifier: MIT
/// @file
/// @brief A bitmap with storage of its own, and what it should find.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/placement.hpp>

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

/// @brief Whether `find_fit` finds the lowest run that is long enough, for every length there is
/// and one more.
template <chunk_bitmap Bitmap>
[[nodiscard]] bool finds_every_run(const Bitmap& map) {
    const std::size_t size = map.size();
    std::size_t longest = 0;
    for (std::size_t at = 0; at != size;) {
        granule_run run{at, 0};
        while (run.last() != size && !map.test(run.last()))
            ++run.count;
        while (longest < run.count)
            if (map.find_fit({.count = ++longest, .limit = size}) != at)
                return false;
        at = run.last() + (run.count == 0);
    }
    return longest == size || !map.find_fit({.count = longest + 1, .limit = size});
}

} // namespace palloc::test
