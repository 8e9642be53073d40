// SPDX-License-Identifier: MIT
// expect: protection_can_close
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include "support/skeleton_protections.hpp"

using namespace palloc;

#ifdef PALLOC_LEGAL
using protection = test::closes_areas;
#else
using protection = unprotected;
#endif

void use(pool<static_granule<64>, mmap_backing, flat, first_fit, protection>& it) {
    (void)it.protect();
}
