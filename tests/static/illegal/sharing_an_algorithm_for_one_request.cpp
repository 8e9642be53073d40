// SPDX-License-Identifier: MIT
// expect: shared_bitmap_needs_algorithm_callable_as_const
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/random_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using other = best_fit;
#else
using other = random_fit;
#endif

void use(pool<static_granule<64>, mmap_backing, palloc::atomic, first_fit, unprotected>& it) {
    other algorithm;
    (void)it.allocate_with({.bytes = 100}, algorithm);
}
