// SPDX-License-Identifier: MIT
// expect: shared_bitmap_needs_backing_that_commits_concurrently
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/concepts/archetypes.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = archetypes::concurrent_backing;
#else
using backing = archetypes::committing_backing;
#endif

void use(pool<static_granule<64>, backing, palloc::atomic, first_fit, unprotected>& it) {
    (void)it.allocate(100);
}
