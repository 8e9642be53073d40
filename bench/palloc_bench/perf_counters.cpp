// SPDX-License-Identifier: MIT
#include "perf_counters.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

namespace palloc::bench {
namespace {

struct counted {
    std::uint32_t type;
    std::uint64_t what;
};
constexpr std::array<counted, 3> wanted{{
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS},
    {PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES},
    {PERF_TYPE_HW_CACHE, PERF_COUNT_HW_CACHE_DTLB | PERF_COUNT_HW_CACHE_OP_READ << 8 |
                             PERF_COUNT_HW_CACHE_RESULT_MISS << 16},
}};

int open_counter(const counted& one) noexcept {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = one.type;
    attributes.config = one.what;
    attributes.disabled = 1;
    attributes.inherit = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    return static_cast<int>(
        syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

/// Scaled up where the counter was not always on the processor.
double value_of(int file) noexcept {
    std::array<std::uint64_t, 3> got{};
    if (file < 0 || read(file, got.data(), sizeof got) != sizeof got || got[2] == 0)
        return -1;
    return static_cast<double>(got[0]) * static_cast<double>(got[1]) / static_cast<double>(got[2]);
}

} // namespace

perf_counters::perf_counters() noexcept {
    for (std::size_t i = 0; i != wanted.size(); ++i)
        files_[i] = open_counter(wanted[i]);
}

perf_counters::~perf_counters() {
    for (const int file : files_)
        if (file >= 0)
            close(file);
}

void perf_counters::start() noexcept {
    for (const int file : files_)
        if (file >= 0)
            ioctl(file, PERF_EVENT_IOC_ENABLE, 0);
}

perf_figures perf_counters::stop() noexcept {
    for (const int file : files_)
        if (file >= 0)
            ioctl(file, PERF_EVENT_IOC_DISABLE, 0);
    return {value_of(files_[0]), value_of(files_[1]), value_of(files_[2])};
}

std::string perf_counters::why_none() {
    const int file = open_counter(wanted[0]);
    if (file < 0)
        return std::strerror(errno);
    close(file);
    return {};
}

} // namespace palloc::bench
