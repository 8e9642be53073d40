// SPDX-License-Identifier: MIT
// expect: protection_needs_a_backing_with_two_views
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/write_rare.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = memfd;
#else
using backing = mmap_backing;
#endif

void use(pool<static_granule<64>, backing, flat, first_fit, write_rare>& it) {
    (void)it.open_window({0x1000, 64});
}
