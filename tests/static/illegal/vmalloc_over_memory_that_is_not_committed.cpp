// SPDX-License-Identifier: MIT
// expect: backing_can_commit
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/kalloc/vmalloc.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = reserve;
#else
using backing = mmap_backing;
#endif

using heap = basic_vmalloc_heap<backing>;
static_assert(sizeof(heap) != 0);
