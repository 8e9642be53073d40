// SPDX-License-Identifier: MIT
// Compose a pool: one policy of each kind, and a block out of it.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <cstdio>
#include <cstring>

int main() {
    using namespace palloc;

    // [compose]
    // 64-byte granules in chunks of anonymous memory, tracked so that a free needs no size and the
    // best fit is found in logarithmic time; a megabyte more whenever the pool is out of room.
    pool<static_granule<64>, mmap_backing, boundary<indexed>, best_fit, unprotected> buffers(
        {.name = "buffers", .growth = growth_policy::refill(1 << 20), .cap_bytes = 64 << 20});

    const auto block = buffers.allocate(1500, 256); // bytes, alignment of the address
    if (!block) {
        const auto why = buffers.explain({.bytes = 1500, .alignment = 256});
        std::printf("no room: %llu bytes missing\n",
                    static_cast<unsigned long long>(why.missing_bytes));
        return 1;
    }
    std::memset(reinterpret_cast<void*>(*block), 0, 1500);
    const bool freed = buffers.deallocate(*block).has_value();
    // [compose]

    return freed && *block % 256 == 0 && buffers.used_bytes() == 0 ? 0 : 1;
}
