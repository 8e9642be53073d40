// SPDX-License-Identifier: MIT
// expect: deleted
#include <palloc/kalloc.hpp>

#include <utility>

using namespace palloc;

page_range walk(vvec<int>& it) {
#ifdef PALLOC_LEGAL
    return it.pages();
#else
    return std::move(it).pages();
#endif
}
