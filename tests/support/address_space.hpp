// SPDX-License-Identifier: MIT
/// @file
/// @brief What is mapped in this process, for tests that nothing stays behind.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace palloc::test {

/// @brief The pages of all mappings of this process. Maps nothing itself.
[[nodiscard]] inline std::uint64_t mapped_pages() {
    std::array<char, 128> text{};
    const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0 || ::read(file, text.data(), text.size() - 1) <= 0)
        std::abort();
    ::close(file);
    return std::strtoull(text.data(), nullptr, 10);
}

} // namespace palloc::test
