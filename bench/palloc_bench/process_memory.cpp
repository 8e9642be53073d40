// SPDX-License-Identifier: MIT
#include "process_memory.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <malloc.h>
#include <string>
#include <string_view>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>

namespace palloc::bench {
namespace {

#ifndef MADV_POPULATE_READ
constexpr int MADV_POPULATE_READ = 22; // Linux 5.14
#endif

/// A line of a file such as /proc/self/status, such as "VmHWM:", in bytes. Takes no memory.
std::uint64_t status_bytes(std::string_view label,
                           const char* from = "/proc/self/status") noexcept {
    const int file = open(from, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    std::array<char, 4096> text;
    const ssize_t got = read(file, text.data(), text.size());
    close(file);
    const std::string_view status(text.data(), got < 0 ? 0 : static_cast<std::size_t>(got));
    const std::size_t line = status.find(label);
    if (line == std::string_view::npos)
        return 0;
    const std::size_t digits = status.find_first_of("0123456789", line);
    std::uint64_t kibibytes = 0;
    std::from_chars(status.data() + digits, status.data() + status.size(), kibibytes);
    return kibibytes * 1024;
}

/// Code and constants that are first used while an allocator is measured are not its memory.
void populate_mapped_files() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        unsigned long begin = 0;
        unsigned long end = 0;
        char readable = '-';
        if (std::sscanf(line.c_str(), "%lx-%lx %c", &begin, &end, &readable) == 3 &&
            readable == 'r' && line.find('/') != std::string::npos)
            // Where the kernel is too old, the figures are larger by the code that is used.
            (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
    }
}

} // namespace

void settle_memory() {
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    populate_mapped_files();
    malloc_trim(0);
}

void touch_stack() noexcept {
    constexpr std::size_t frame_bytes = std::size_t{64} * 1024;
    std::array<volatile char, frame_bytes> frame;
    for (std::size_t at = 0; at < frame.size(); at += 1024)
        frame[at] = 0;
}

std::uint64_t resident_bytes() noexcept {
    return status_bytes("VmRSS:");
}

std::uint64_t exact_resident_bytes() noexcept {
    const std::uint64_t exact = status_bytes("Rss:", "/proc/self/smaps_rollup");
    return exact != 0 ? exact : resident_bytes(); // before Linux 4.14
}

std::uint64_t restart_peak_resident() noexcept {
    const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)!write(file, "5", 1);
        close(file);
    }
    return peak_resident_bytes();
}

std::uint64_t peak_resident_bytes() noexcept {
    return status_bytes("VmHWM:");
}

} // namespace palloc::bench
