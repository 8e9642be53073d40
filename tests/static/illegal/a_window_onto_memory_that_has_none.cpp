// SPDX-License-Identifier: MIT
// expect: protection_opens_windows
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>

#include "support/skeleton_protections.hpp"

using namespace palloc;

#ifdef PALLOC_LEGAL
using protection = test::one_permission_an_area;
#else
using protection = test::closes_areas;
#endif

void use(pool<static_granule<64>, fake, flat, first_fit, protection>& it) {
    (void)it.open_window({0x1000, 64});
}
