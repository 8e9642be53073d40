// SPDX-License-Identifier: MIT
/// @file
/// @brief The descriptors of this process, for tests that none stays open.
#pragma once

#include <cstddef>
#include <fcntl.h>

namespace palloc::test {

/// @brief How many of the first thousand descriptors are open. Opens none itself.
[[nodiscard]] inline std::size_t open_files() {
    std::size_t open = 0;
    for (int file = 0; file != 1000; ++file)
        open += ::fcntl(file, F_GETFD) != -1 ? 1U : 0U;
    return open;
}

} // namespace palloc::test
