// SPDX-License-Identifier: MIT
// expect: writable_or_executable_is_readable
#include <palloc/core/permissions.hpp>

using namespace palloc;
using namespace palloc::perm;

#ifdef PALLOC_LEGAL
constexpr permissions wanted = R | X;
#else
constexpr permissions wanted = X;
#endif
static_assert(executable(wanted));
