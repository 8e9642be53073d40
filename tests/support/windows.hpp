// SPDX-License-Identifier: MIT
/// @file
/// @brief The system's header, with as few of its macros as possible.
#pragma once

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN // NOLINT(readability-identifier-naming): the system's name
#endif
#ifndef NOMINMAX
#define NOMINMAX // NOLINT(readability-identifier-naming)
#endif
#include <windows.h>

#undef near
#undef far
