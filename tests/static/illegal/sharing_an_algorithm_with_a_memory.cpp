// SPDX-License-Identifier: MIT
// expect: shared_bitmap_needs_algorithm_callable_as_const
#include <palloc/algorithms/next_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using bitmap = flat;
#else
using bitmap = palloc::atomic;
#endif

void use(pool<static_granule<64>, mmap_backing, bitmap, next_fit, unprotected>& it) {
    (void)it.allocate(100);
}
