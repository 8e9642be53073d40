// SPDX-License-Identifier: MIT
#include "trace.hpp"

#include <algorithm>
#include <utility>

namespace palloc::bench {
namespace {

/// Back from lanes to the order over all threads.
mapped_array<operation> in_order(const trace& program) {
    const std::size_t count = program.operation_count();
    mapped_array<operation> ordered(count + lookahead);
    mapped_array<std::size_t> at(program.threads());
    for (std::size_t i = 0; i != count; ++i) {
        const std::size_t thread = program.thread_of[i];
        ordered[i] = program.lanes[thread].operations[at[thread]++];
    }
    return ordered;
}

/// Copies take turns, operation by operation.
trace multiplied(trace program, std::size_t copies) {
    const std::size_t count = program.operation_count();
    const mapped_array<operation> once = in_order(program);
    mapped_array<operation> all(count * copies + lookahead);
    mapped_array<std::uint16_t> thread_of(count * copies);
    for (std::size_t i = 0; i != count; ++i)
        for (std::size_t copy = 0; copy != copies; ++copy) {
            operation& op = all[i * copies + copy];
            op = once[i];
            op.slot += static_cast<std::uint32_t>(copy * program.slots);
            thread_of[i * copies + copy] = static_cast<std::uint16_t>(copy);
        }
    const std::size_t windows = (count * copies + window_operations - 1) / window_operations;
    mapped_array<std::uint64_t> peaks(windows);
    for (std::size_t w = 0; w != windows; ++w) {
        const std::size_t of_one = std::min((w + 1) * window_operations / copies, count);
        peaks[w] = program.peak_live_bytes_within(std::max<std::size_t>(of_one, 1)) * copies;
    }
    program.peak_by_window = std::move(peaks);
    program.windows = windows;
    program.slots *= copies;
    program.peak_live_bytes *= copies;
    program.peak_live_blocks *= copies;
    program.peak_at *= copies;
    program.thread_of = std::move(thread_of);
    split_by_thread(program, all, copies);
    return program;
}

} // namespace

void split_by_thread(trace& to, const mapped_array<operation>& ordered, std::size_t threads) {
    const std::size_t count = ordered.size() - lookahead;
    to.operations = mapped_array<operation>(count + lookahead);
    to.segments = mapped_array<segment>(std::min(count, to.windows * threads));
    to.lanes.assign(threads, {});
    // A thread has at most as many segments as windows, and as many as operations.
    mapped_array<std::size_t> all(threads), filled(threads), first(threads), first_segment(threads),
        segments(threads);
    for (std::size_t i = 0; i != count; ++i)
        ++all[to.thread_of[i]];
    for (std::size_t t = 1; t < threads; ++t) {
        first[t] = first[t - 1] + all[t - 1];
        first_segment[t] = first_segment[t - 1] + std::min(all[t - 1], to.windows);
    }
    for (std::size_t i = 0; i != count; ++i) {
        const std::size_t t = to.thread_of[i];
        const auto window = static_cast<std::uint32_t>(i / window_operations);
        segment* const mine = to.segments.data() + first_segment[t];
        to.operations[first[t] + filled[t]++] = ordered[i];
        if (segments[t] == 0 || mine[segments[t] - 1].window != window)
            mine[segments[t]++].window = window;
        mine[segments[t] - 1].end = static_cast<std::uint32_t>(filled[t]);
    }
    for (std::size_t t = 0; t != threads; ++t)
        to.lanes[t] = {{to.operations.data() + first[t], filled[t]},
                       {to.segments.data() + first_segment[t], segments[t]}};
}

trace with_threads(trace program, std::size_t threads) {
    if (threads == program.threads())
        return program;
    if (program.threads() == 1)
        return multiplied(std::move(program), threads);
    if (threads > program.threads())
        return program;
    const mapped_array<operation> ordered = in_order(program);
    for (std::uint16_t& thread : program.thread_of)
        thread = static_cast<std::uint16_t>(thread % threads);
    split_by_thread(program, ordered, threads);
    return program;
}

} // namespace palloc::bench
