// SPDX-License-Identifier: MIT
// expect: member
#include <palloc/core/permissions.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
constexpr permissions wanted = permissions::read_execute;
#else
constexpr permissions wanted = permissions::read_write_execute;
#endif
static_assert(executable(wanted));
