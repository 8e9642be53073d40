// SPDX-License-Identifier: MIT
/// @file
/// @brief The descriptors, or handles, of this process, for tests that none stays open.
#pragma once

#include <cstddef>

#if defined(_WIN32)
#include "windows.hpp"
#else
#include <fcntl.h>
#endif

namespace palloc::test {

#if defined(_WIN32)

/// @brief How many handles there are.
[[nodiscard]] inline std::size_t open_files() {
    DWORD count = 0;
    (void)::GetProcessHandleCount(::GetCurrentProcess(), &count);
    return count;
}

#else

/// @brief How many of the first thousand descriptors are open. Opens none itself.
[[nodiscard]] inline std::size_t open_files() {
    std::size_t open = 0;
    for (int file = 0; file != 1000; ++file)
        open += ::fcntl(file, F_GETFD) != -1 ? 1U : 0U;
    return open;
}

#endif

} // namespace palloc::test
