// SPDX-License-Identifier: MIT
// expect: protection_needs_a_backing_with_two_views_or_changing_permissions
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/write_xor_execute.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using memory = mmap_backing;
#else
using memory = borrowed;
#endif

void use(pool<static_granule<64>, memory, flat, first_fit, write_xor_execute>& it) {
    (void)it.owns(0);
}
