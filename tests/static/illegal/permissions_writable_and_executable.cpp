// SPDX-License-Identifier: MIT
// expect: never_writable_and_executable
#include <palloc/core/permissions.hpp>

using namespace palloc;
using namespace palloc::perm;

#ifdef PALLOC_LEGAL
constexpr permissions wanted = R | X;
#else
constexpr permissions wanted = R | W | X;
#endif
static_assert(executable(wanted));
