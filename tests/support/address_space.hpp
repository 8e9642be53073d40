// SPDX-License-Identifier: MIT
/// @file
/// @brief What is mapped in this process, for tests that nothing stays behind.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#if defined(_WIN32)
#include "windows.hpp"
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace palloc::test {

#if defined(_WIN32)

/// @brief The pages of all sections and private memory of this process, reserved ones included.
[[nodiscard]] inline std::uint64_t mapped_pages() {
    std::uint64_t bytes = 0;
    MEMORY_BASIC_INFORMATION there{};
    for (auto at = std::uintptr_t{0};
         ::VirtualQuery(reinterpret_cast<void*>(at), &there, sizeof there) != 0;
         at = reinterpret_cast<std::uintptr_t>(there.BaseAddress) + there.RegionSize)
        bytes += there.State != MEM_FREE ? there.RegionSize : 0;
    return bytes / 4096;
}

/// @brief What may be done at `at`: " rd wr ex ", or less.
[[nodiscard]] inline std::string mapping_flags(std::uint64_t at) {
    MEMORY_BASIC_INFORMATION there{};
    if (::VirtualQuery(reinterpret_cast<void*>(at), &there, sizeof there) == 0 ||
        there.State != MEM_COMMIT || there.Protect == PAGE_NOACCESS)
        return {};
    std::string flags = " rd ";
    if ((there.Protect & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0)
        flags += "wr ";
    if ((there.Protect & (PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE)) != 0)
        flags += "ex ";
    return flags;
}

#else

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

#endif

} // namespace palloc::test
