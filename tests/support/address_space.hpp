// SPDX-License-Identifier: MIT
/// @file
/// @brief What is mapped in this process, for tests that nothing stays behind.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace palloc::test {

/// @brief The sizes in pages that the kernel tells of this process. Maps nothing itself.
struct memory_use {
    std::uint64_t mapped = 0;
    std::uint64_t resident = 0;

    [[nodiscard]] static memory_use now() {
        std::array<char, 128> text{};
        const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
        if (file < 0 || ::read(file, text.data(), text.size() - 1) <= 0)
            std::abort();
        ::close(file);
        char* rest = nullptr;
        const std::uint64_t mapped = std::strtoull(text.data(), &rest, 10);
        return {mapped, std::strtoull(rest, nullptr, 10)};
    }
};

/// @brief The pages of all mappings of this process.
[[nodiscard]] inline std::uint64_t mapped_pages() {
    return memory_use::now().mapped;
}

/// @brief Those of them that are in memory.
[[nodiscard]] inline std::uint64_t resident_pages() {
    return memory_use::now().resident;
}

/// @brief What the kernel says of the mapping that contains `at`: " rd wr … ", empty for none.
[[nodiscard]] inline std::string mapping_flags(std::uint64_t at) {
    std::ifstream maps("/proc/self/smaps");
    bool here = false;
    for (std::string line; std::getline(maps, line);) {
        char* rest = nullptr;
        const std::uint64_t base = std::strtoull(line.c_str(), &rest, 16);
        if (*rest == '-') // the head of a mapping: base-end permissions …
            here = base <= at && at < std::strtoull(rest + 1, nullptr, 16);
        if (constexpr std::string_view label = "VmFlags:"; here && line.starts_with(label))
            return line.substr(label.size()) + ' ';
    }
    return {};
}

} // namespace palloc::test
