// SPDX-License-Identifier: MIT
// expect: permission_flags<4
#include <palloc/core/permissions.hpp>

using namespace palloc;
using namespace palloc::perm;

#ifdef PALLOC_LEGAL
constexpr permissions wanted = R | X;
#else
constexpr permissions wanted = X;
#endif
static_assert(executable(wanted));
