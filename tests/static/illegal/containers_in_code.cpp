// SPDX-License-Identifier: MIT
// expect: pool_can_serve_containers
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/perm_alloc.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using part = perm_alloc::data_blocks;
#else
using part = perm_alloc::pool_type;
#endif

void use(pool_resource<part>& it) {
    (void)it.allocate(100);
}
