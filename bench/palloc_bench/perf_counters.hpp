// SPDX-License-Identifier: MIT
/// @file
/// @brief The processor's own counters, of this process and its threads, where the machine gives
///   them.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace palloc::bench {

struct perf_figures {
    /// Negative: this one is not to be had.
    double instructions = -1;
    double cache_misses = -1;
    double tlb_misses = -1; ///< of data reads
};

class perf_counters {
  public:
    /// @brief Opens the counters, stopped; threads that start later are counted with.
    perf_counters() noexcept;
    ~perf_counters();
    perf_counters(const perf_counters&) = delete;
    perf_counters& operator=(const perf_counters&) = delete;

    void start() noexcept;
    [[nodiscard]] perf_figures stop() noexcept;

    /// @brief Why the machine gives none, or nothing.
    [[nodiscard]] static std::string why_none();

  private:
    std::array<int, 3> files_{-1, -1, -1};
};

} // namespace palloc::bench
