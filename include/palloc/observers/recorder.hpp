// SPDX-License-Identifier: MIT
/// @file
/// @brief Writes down what a pool is asked, so that it can be replayed.
///
/// When to choose it: to compare other policies on what your program really does. Costs: an atomic
/// addition and 24 bytes an event; allocates nothing while the pool works. Reading the notes out
/// uses the heap.
///
/// The trace is text, one operation a line, in the order in which they happened over all threads:
///
///     # palloc-heap-trace 1
///     # program: TEXT   threads: N   ops: N   peak-live-bytes: N   peak-live-blocks: N
///     a <id> <size> <align> <thread>      allocate; ids count from 0
///     f <id> <thread>                     free
///     r <id> <newid> <newsize> <thread>   resize in place
#pragma once

#include <palloc/concepts/observer.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/thread_number.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cinttypes>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace palloc::inline v0 {

/// @brief One note of a `recorder`.
struct trace_record {
    address where = 0;
    std::uint64_t bytes = 0; ///< as asked; after a resize in whole granules
    std::uint32_t thread = 0;
    event::kind what{};
    std::uint8_t alignment_log2 = 0;
};

/// @brief Keeps notes of allocations, releases, resizes and resets.
/// @par Thread safety `on` any thread and signal handlers; all else while no `on` runs
class recorder {
  public:
    static constexpr bool is_concurrent = true;

    /// @param notes outlives the recorder. When it is full, further events are counted only.
    explicit recorder(std::span<trace_record> notes) noexcept : notes_(notes) {}
    recorder(recorder&& other) noexcept : notes_(other.notes_), seen_(other.seen()) {}
    recorder& operator=(recorder&&) = delete;
    recorder(const recorder&) = delete;
    recorder& operator=(const recorder&) = delete;
    ~recorder() = default;

    /// @brief Notes an event, if it is of a kind that a trace shows and there is room.
    void on(const event& happened) noexcept {
        const bool resized = happened.what == event::kind::resize;
        if (!resized && happened.what != event::kind::allocate &&
            happened.what != event::kind::release && happened.what != event::kind::reset)
            return;
        const std::size_t place = seen_.fetch_add(1, std::memory_order_relaxed);
        if (place < notes_.size())
            notes_[place] = {happened.where.base, resized ? happened.where.bytes : happened.asked,
                             thread_number(), happened.what,
                             static_cast<std::uint8_t>(std::countr_zero(happened.alignment))};
    }

    /// @brief What was noted, in order.
    [[nodiscard]] std::span<const trace_record> notes() const noexcept {
        return notes_.first(std::min(seen(), notes_.size()));
    }

    /// @brief Events for which there was no room; the notes are all that came before them.
    [[nodiscard]] std::size_t dropped() const noexcept { return seen() - notes().size(); }

    /// @brief Writes the notes as a heap trace, in pieces that are whole lines. Releases of blocks
    /// that were there before the recorder are left out.
    /// @param program goes into the header; without a line end.
    template <std::invocable<std::string_view> Sink>
    void write_trace(std::string_view program, Sink&& sink) const {
        const totals sums = walk([](std::string_view) {});
        std::string header("# palloc-heap-trace 1\n# program: ");
        header.append(program);
        header.append("   threads: ").append(std::to_string(sums.threads));
        header.append("   ops: ").append(std::to_string(sums.operations));
        header.append("   peak-live-bytes: ").append(std::to_string(sums.peak_bytes));
        header.append("   peak-live-blocks: ").append(std::to_string(sums.peak_blocks));
        header.append("\n");
        sink(std::string_view(header));
        walk(sink);
    }

    /// @brief The same, to a file.
    /// @return whether all could be written.
    bool write_trace(std::string_view program, std::FILE* file) const {
        bool written = true;
        write_trace(program, [&](std::string_view text) {
            written = written && std::fwrite(text.data(), 1, text.size(), file) == text.size();
        });
        return written;
    }

  private:
    static constexpr std::uint64_t usual_alignment = 16; // the trace's word for "no wish"

    struct totals {
        std::uint64_t threads = 0;
        std::uint64_t operations = 0;
        std::uint64_t peak_bytes = 0;
        std::uint64_t peak_blocks = 0;
    };
    struct block {
        std::uint64_t id;
        std::uint64_t bytes;
    };

    [[nodiscard]] std::size_t seen() const noexcept {
        return seen_.load(std::memory_order_relaxed);
    }

    /// @brief Goes through the notes, hands each operation's line to `sink`, and sums up.
    template <class Sink>
    totals walk(Sink&& sink) const {
        totals sums;
        std::uint64_t next_id = 0;
        std::uint64_t live_bytes = 0;
        std::map<address, block> live;
        std::map<std::uint32_t, std::uint64_t> threads; // numbered anew, by first operation
        const auto say = [&](const char* format, auto... numbers) {
            std::array<char, 96> line{};
            const int length = std::snprintf(line.data(), line.size(), format, numbers...);
            sink(std::string_view(line.data(), static_cast<std::size_t>(length)));
            ++sums.operations;
        };
        const auto end = [&](auto found, std::uint64_t thread) {
            say("f %" PRIu64 " %" PRIu64 "\n", found->second.id, thread);
            live_bytes -= found->second.bytes;
            return live.erase(found);
        };
        for (const trace_record& note : notes()) {
            const std::uint64_t thread =
                threads.try_emplace(note.thread, threads.size()).first->second;
            const auto found = live.find(note.where);
            switch (note.what) {
            case event::kind::allocate:
                say("a %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", next_id, note.bytes,
                    std::max(usual_alignment, std::uint64_t{1} << note.alignment_log2), thread);
                live[note.where] = {next_id++, note.bytes};
                live_bytes += note.bytes;
                break;
            case event::kind::release:
                if (found != live.end())
                    end(found, thread);
                break;
            case event::kind::resize:
                if (found == live.end())
                    break;
                say("r %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", found->second.id,
                    next_id, note.bytes, thread);
                live_bytes += note.bytes - found->second.bytes;
                found->second = {next_id++, note.bytes};
                break;
            default: // reset
                for (auto each = live.begin(); each != live.end();)
                    each = end(each, thread);
                break;
            }
            sums.peak_bytes = std::max(sums.peak_bytes, live_bytes);
            sums.peak_blocks = std::max<std::uint64_t>(sums.peak_blocks, live.size());
        }
        sums.threads = threads.size();
        return sums;
    }

    std::span<trace_record> notes_;
    std::atomic<std::size_t> seen_ = 0;
};

static_assert(concurrent_observer<recorder>);

} // namespace palloc::inline v0
