// SPDX-License-Identifier: MIT
/// @file
/// @brief What a recorded process and palloc-bench share: a ring of events in a mapped file.
///
/// The ring lies in shared memory, so that what a process wrote outlives its crash, its `_exit` and
/// its `exec`. A writer draws a ticket, which is its event's place in the one order over all
/// threads, waits until the ring has room for it, writes, and publishes. A ticket that was drawn by
/// a thread that was then killed stays unpublished; the reader passes over it once the process has
/// ended.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::record {

enum class event_kind : std::uint8_t {
    allocate,
    release,      ///< written before the block is freed: its address may be another's at once
    resize_begin, ///< the same of a realloc: the block's address
    resize_end,   ///< the address that it came to, or 0: it failed, and the block lives on
};

struct event {
    std::atomic<std::uint64_t> published; ///< ticket + 1
    std::uint64_t address;
    std::uint64_t bytes;
    std::uint32_t thread; ///< one number a thread, never used again within the process
    event_kind kind;
    std::uint8_t alignment_log2;
};
static_assert(sizeof(event) == 32);

struct ring {
    static constexpr std::uint64_t right_magic = 0x31676e6972636c70; // "plcring1"
    static constexpr std::uint64_t capacity = std::uint64_t{1} << 18;

    std::uint64_t magic;
    std::int32_t process;
    char command[2048]; ///< arguments, each with a zero behind it

    alignas(64) std::atomic<std::uint64_t> tickets; ///< drawn
    alignas(64) std::atomic<std::uint64_t> read;    ///< events that the reader is done with
    alignas(64) std::atomic<std::uint32_t> closed;  ///< not 0: nobody reads any more
    alignas(64) event events[capacity];

    [[nodiscard]] event& at(std::uint64_t ticket) noexcept { return events[ticket % capacity]; }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// @brief Of a program that a process executes: the letter behind `PID.` in the name of a symbolic
///   link, in the folder of the rings, to that program's file. Digits there name a ring.
enum class notice : char {
    executes = 'x', ///< in the process's own place
    failed = 'f',   ///< it could not
    spawned = 's',  ///< as a process of its own, which has begun
};

/// @brief Names of the environment: the folder where rings appear, the recorder's process, and the
///   one process that is to be recorded (absent: every one).
inline constexpr const char* folder_variable = "PALLOC_RECORD_FOLDER";
inline constexpr const char* recorder_variable = "PALLOC_RECORD_BY";
inline constexpr const char* only_variable = "PALLOC_RECORD_ONLY";

} // namespace palloc::record
