// SPDX-License-Identifier: MIT
// expect: backing_can_adopt
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = borrowed;
#else
using backing = mmap_backing;
#endif

void use(pool<static_granule<64>, backing, flat, first_fit, unprotected>& it) {
    (void)it.add({.where = {0x1000, 4096}});
}
