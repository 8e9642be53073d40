// SPDX-License-Identifier: MIT
/// @file
/// @brief The version of palloc, and the inline namespace that carries its ABI.
///
/// Everything public lives in `palloc::inline v0`: code compiled against another ABI number fails
/// to link instead of failing to run. The number is the major version.
#pragma once

#define PALLOC_VERSION_MAJOR 0
#define PALLOC_VERSION_MINOR 1
#define PALLOC_VERSION_PATCH 0
#define PALLOC_VERSION "0.1.0"

namespace palloc::inline v0 {}
