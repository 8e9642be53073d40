// SPDX-License-Identifier: MIT
// expect: destructor_may_be_skipped
#include <palloc/pmalloc.hpp>

#include <memory>

using namespace palloc;

#ifdef PALLOC_LEGAL
using number = int*;
#else
using number = std::unique_ptr<int>;
#endif

bool use(pmalloc& pool) {
    return pool.make<number>().has_value();
}
