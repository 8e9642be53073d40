// SPDX-License-Identifier: MIT
// expect: bitmap_knows_blocks
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using bitmap = boundary<flat>;
#else
using bitmap = flat;
#endif

void use(pool<static_granule<64>, mmap_backing, bitmap, first_fit, unprotected>& it) {
    (void)it.deallocate(0x1000);
}
