// SPDX-License-Identifier: MIT
// expect: shared_bitmap_needs_concurrent_observer
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using observer = concurrent_statistics;
#else
using observer = statistics;
#endif

void use(
    pool<static_granule<64>, mmap_backing, palloc::atomic, first_fit, unprotected, observer>& it) {
    (void)it.allocate(100);
}
