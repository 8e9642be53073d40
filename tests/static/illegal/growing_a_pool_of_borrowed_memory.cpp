// SPDX-License-Identifier: MIT
// expect: backing_can_map
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = mmap_backing;
#else
using backing = borrowed;
#endif

void use(pool<static_granule<64>, backing, flat, first_fit, unprotected>& it) {
    (void)it.grow(4096);
}
