// SPDX-License-Identifier: MIT
/// @file
/// @brief A program's allocations, decoded for replay.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mapped_array.hpp"

namespace palloc::bench {

enum class operation_kind : std::uint8_t { allocate, release, resize };

/// @brief One line of a trace.
///
/// A block lives in a slot of the replayer's table. A slot is used again by the thread that freed
/// it, so the table is no longer than the blocks that are live at once, and yet no thread ever
/// waits for another but for the sake of one block.
///
/// Sizes are rounded up to a multiple of the alignment, as those of C++ types are: the pools of
/// libstdc++ 12 place other sizes off their alignment. Size 0 counts as 1.
struct operation {
    std::uint64_t bytes : 40; ///< allocate, resize: what is asked for
    std::uint64_t alignment_log2 : 8;
    operation_kind kind : 8;
    std::uint32_t slot;
    std::uint32_t turn; ///< how many operations on the slot come before this one
};
static_assert(sizeof(operation) == 16);

inline constexpr std::uint64_t largest_alignment_bytes = std::uint64_t{1} << 30;
inline constexpr std::uint64_t largest_block_bytes =
    (std::uint64_t{1} << 40) - largest_alignment_bytes;

/// @brief The replayer looks so many operations ahead; that many zeros stand behind the last one.
inline constexpr std::size_t lookahead = 16;

/// @brief Operations of the trace, over all threads, that make a window; see `window_gate`.
inline constexpr std::size_t window_operations = 4096;

/// @brief The operations of one thread that fall into one window.
struct segment {
    std::uint32_t window;
    std::uint32_t end; ///< index in the lane, one past the segment's last
};

/// @brief What one thread does, in order.
struct lane {
    std::span<const operation> operations;
    std::span<const segment> segments;
};

struct trace {
    std::string name;    ///< the file's, without directory and suffix
    std::string program; ///< what was recorded
    std::uint64_t peak_live_bytes = 0;
    std::uint64_t peak_live_blocks = 0;
    std::uint64_t largest_bytes = 1;
    std::uint64_t largest_alignment = 1;
    std::size_t peak_at = 0; ///< operations up to the moment with most live bytes, all threads
    std::size_t slots = 0;
    std::size_t windows = 0;
    std::vector<lane> lanes; ///< one a thread; they point into the arrays below

    mapped_array<operation> operations;
    mapped_array<std::uint16_t> thread_of; ///< of each operation, in the one order over all threads
    mapped_array<segment> segments;
    mapped_array<std::uint64_t> peak_by_window; ///< most live bytes up to each window's end

    [[nodiscard]] std::size_t operation_count() const noexcept {
        return operations.size() - lookahead;
    }
    [[nodiscard]] std::size_t threads() const noexcept { return lanes.size(); }

    /// @brief Most live bytes within the first `count` operations, to the next window's end.
    [[nodiscard]] std::uint64_t peak_live_bytes_within(std::size_t count) const noexcept {
        return count == 0 ? 0 : peak_by_window[(count - 1) / window_operations];
    }
};

/// @brief Lays `ordered` (with `lookahead` zeros behind it) out as one lane a thread, in the order
///   that `to.thread_of` tells.
void split_by_thread(trace& to, const mapped_array<operation>& ordered, std::size_t threads);

/// @brief The same work on `threads` threads: a trace of one thread so many times at once, each
///   with blocks of its own; of several threads, dealt out to so many.
[[nodiscard]] trace with_threads(trace program, std::size_t threads);

} // namespace palloc::bench
