// SPDX-License-Identifier: MIT
// expect: protection_needs_a_backing_that_can_change_permissions
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>

#include "support/skeleton_protections.hpp"

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = mmap_backing;
#else
using backing = borrowed;
#endif

void use(pool<static_granule<64>, backing, flat, first_fit, test::closes_areas>& it) {
    (void)it.protect();
}
