// SPDX-License-Identifier: MIT
// expect: backing_can_move_pages
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = fake;
#else
using backing = fake_demand_paged;
#endif

void use(pool<static_granule<4096>, backing, flat, first_fit, unprotected>& it) {
    (void)it.relocate(0x1000, 4096, 8192);
}
