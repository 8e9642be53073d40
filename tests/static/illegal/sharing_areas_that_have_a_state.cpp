// SPDX-License-Identifier: MIT
// expect: shared_bitmap_needs_protection_without_area_state
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include "support/skeleton_protections.hpp"

using namespace palloc;

#ifdef PALLOC_LEGAL
using protection = unprotected;
#else
using protection = test::closes_areas;
#endif

void use(pool<static_granule<64>, mmap_backing, palloc::atomic, first_fit, protection>& it) {
    (void)it.allocate(100);
}
