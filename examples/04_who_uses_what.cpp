// SPDX-License-Identifier: MIT
// Observe a pool: statistics while it runs, and why a request was refused.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <cstdio>

int main() {
    using namespace palloc;

    pool<static_granule<256>, mmap_backing, flat, first_fit, unprotected, statistics> frames(
        {.name = "frames"});
    if (!frames.grow(1 << 16))
        return 1;
    address blocks[256];
    for (address& block : blocks)
        block = frames.allocate(256).value();
    for (int i = 0; i < 256; i += 2)
        (void)frames.deallocate(blocks[i], 256);

    const auto refused = frames.allocate(512); // half is free, and no two neighbours
    const auto why = frames.explain({.bytes = 512});
    std::printf("%llu bytes free, longest run %llu: fragmentation %.2f\n",
                static_cast<unsigned long long>(why.free_bytes),
                static_cast<unsigned long long>(why.largest_run_bytes), frames.fragmentation());
    const bool as_expected = !refused && why.cause == event::shortage::fragmented;
    frames.reset();
    return as_expected ? 0 : 1;
}
