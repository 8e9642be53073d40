// SPDX-License-Identifier: MIT
// expect: address of stack memory associated with local variable
// only: clang
// arguments: -Werror
#include <palloc/kalloc.hpp>

#include <utility>

using namespace palloc;

page_range walk(vvec<int>& given) {
#ifdef PALLOC_LEGAL
    vvec<int>& it = given;
#else
    vvec<int> it = std::move(given);
#endif
    return it.pages();
}
