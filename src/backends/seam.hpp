// SPDX-License-Identifier: MIT
/// @file
/// @brief The seam of the system that this is built for.
#pragma once

#if defined(_WIN32)
#include "windows/os.hpp"
#else
#include "os.hpp"
#endif
