// SPDX-License-Identifier: MIT
// expect: address of stack memory associated with local variable
// only: clang
// arguments: -Werror
#include <palloc/kalloc.hpp>

#include <utility>

using namespace palloc;

borrowed_page first(vbox<int>& given) {
#ifdef PALLOC_LEGAL
    vbox<int>& it = given;
#else
    vbox<int> it = std::move(given);
#endif
    return it.page(0);
}

// What outlives its range is right as long as the owner is there.
borrowed_page second(vvec<int>& it) {
    const auto all = it.pages();
    return all[1];
}
