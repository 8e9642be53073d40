// SPDX-License-Identifier: MIT
/// @file
/// @brief A replay that takes no time but looks: memory over the run, and maps of the blocks.
///
/// One thread plays all operations in the order in which they were recorded, whichever threads they
/// were on, so that what is seen is the same every time.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>

#include "composition.hpp"
#include "trace.hpp"

namespace palloc::bench {

/// @brief A moment of the run.
struct memory_sample {
    std::uint64_t operation = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t held_bytes = 0; ///< touched pages, the allocator's own data included
    double fragmentation = std::numeric_limits<double>::quiet_NaN();
};

/// @brief Where blocks lie at one moment.
///
/// The range is every page in which a block has lain until then, in order of address; pages that
/// lie apart are shown side by side. Each cell is an equal share of it.
struct pool_map {
    static constexpr std::size_t most_cells = 512;

    struct cell {
        std::uint64_t live_bytes = 0;
        std::uint32_t blocks = 0;             ///< that begin here
        std::uint64_t largest_free_bytes = 0; ///< longest stretch without a block, within the cell
    };

    std::uint64_t operation = 0;
    std::uint64_t range_bytes = 0;
    std::uint64_t cell_bytes = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t blocks = 0;
    std::uint64_t largest_free_bytes = 0; ///< over the whole range
    std::size_t cells = 0;
    std::array<cell, most_cells> cell_at{};
};

struct inspection {
    static constexpr std::size_t most_samples = 160;

    std::size_t samples = 0;
    std::array<memory_sample, most_samples> sample{};
    pool_map worst; ///< when the most memory was held: the first moment with the largest figure
    pool_map end;   ///< after the last operation
    bool complete = false;
};

/// @brief Plays `program` on `made`. Runs in a process of its own, like every replay.
/// @pre  `settle_memory` has been called.
[[nodiscard]] inspection inspect(const trace& program, contender& made,
                                 std::chrono::nanoseconds budget);

} // namespace palloc::bench
