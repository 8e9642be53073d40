// SPDX-License-Identifier: MIT
// expect: protection_needs_a_backing_with_two_views
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>

#include "support/skeleton_protections.hpp"

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = fake;
#else
using backing = mmap_backing;
#endif

void use(pool<static_granule<64>, backing, flat, first_fit, test::one_permission_an_area>& it) {
    (void)it.allocate(100);
}
