// SPDX-License-Identifier: MIT
/// @file
/// @brief Replays a trace on a memory resource, with as many threads as the program had.
///
/// Every operation is one call of `allocate` or `deallocate`; a resize is an allocation, a copy of
/// what both blocks can hold, and a deallocation, since that is all that `std::pmr` offers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory_resource>
#include <thread>
#include <vector>

#include "mapped_array.hpp"
#include "player.hpp"
#include "trace.hpp"
#include "window_gate.hpp"

namespace palloc::bench {

struct replay_outcome {
    player_record record; ///< over all threads; `first_fault_at` counts within its thread
    double wall_ns = 0;   ///< of the operations done
    double cpu_ns = 0;    ///< of all threads together
    bool complete = false;
};

class replayer {
  public:
    /// @brief Makes the tables and starts the threads; from here on the harness takes no memory.
    explicit replayer(const trace& program);
    ~replayer();
    replayer(const replayer&) = delete;
    replayer& operator=(const replayer&) = delete;

    /// @brief Replays until the end, or until `budget` is used up. Blocks that are live then are
    ///   checked and freed afterwards.
    /// @param at_peak  called once, untimed, when a single-threaded trace has most live bytes; at
    ///   the end of the timed part where the trace has threads or was cut before
    /// @pre  Called once; a trace with threads needs a resource that may be shared by them.
    /// @par Complexity  the clock is read every 64 operations of a thread
    [[nodiscard]] replay_outcome run(std::pmr::memory_resource& resource,
                                     std::chrono::nanoseconds budget,
                                     const std::function<void()>& at_peak = {});

  private:
    using clock = std::chrono::steady_clock;

    struct worker {
        std::thread thread;
        player_record record;
        clock::time_point finished;
    };

    void play_alone(player& me, std::size_t from, std::size_t to) noexcept;
    void play_lane(worker& self, const lane& work) noexcept;
    [[nodiscard]] bool play_segment(player& me, const lane& work, std::size_t from,
                                    std::size_t to) noexcept;
    [[nodiscard]] bool await_turn(std::uint32_t& turn, std::uint32_t wanted) const noexcept;
    [[nodiscard]] bool out_of_time() const noexcept { return clock::now() >= deadline_; }
    void stop() noexcept;

    const trace& trace_;
    mapped_array<live_block> table_;
    mapped_array<std::uint32_t> turns_; // operations done on each slot
    window_gate gate_;
    std::vector<worker> workers_; // none where the trace has one thread
    std::atomic<std::uint32_t> ready_ = 0;
    std::atomic<bool> started_ = false;
    std::atomic<bool> stopped_ = false;
    std::pmr::memory_resource* resource_ = nullptr;
    clock::time_point deadline_;
};

} // namespace palloc::bench
