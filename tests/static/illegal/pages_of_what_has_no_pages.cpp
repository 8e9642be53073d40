// SPDX-License-Identifier: MIT
// expect: page_allocator
#include <palloc/kalloc.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using numbers = vvec<int>;
#else
using numbers = kvec<int>;
#endif

page_range walk(numbers& it) {
    return it.pages();
}
