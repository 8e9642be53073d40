// SPDX-License-Identifier: MIT
// expect: pool_can_serve_containers
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bridges/allocator.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <vector>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = mmap_backing;
#else
using backing = fake;
#endif

using numbers = pool<static_granule<64>, backing, flat, first_fit, unprotected>;

void use(std::vector<int, pool_allocator<int, numbers>>& it) {
    it.push_back(1);
}
