// SPDX-License-Identifier: MIT
#include "trace_reader.hpp"

#include <palloc/core/layout.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

namespace palloc::bench {
namespace {

constexpr std::uint64_t most_operations = std::uint64_t{1} << 31;
constexpr std::uint64_t most_threads = 65535;
constexpr std::uint64_t bytes_mask = (std::uint64_t{1} << 40) - 1; // of operation::bytes
constexpr std::uint32_t none = ~std::uint32_t{0};

/// Takes `label` and the number behind it off the end of `line`.
std::uint64_t take_count(const gzip_lines& lines, std::string_view& line, std::string_view label,
                         std::uint64_t most) {
    const std::size_t at = line.rfind(label);
    if (at == std::string_view::npos)
        throw lines.error(fmt::format("the header lacks '{}'", label));
    const std::string_view digits = line.substr(at + label.size());
    std::uint64_t value = 0;
    const auto [end, code] = std::from_chars(digits.begin(), digits.end(), value);
    if (code != std::errc{} || end != digits.end() || value > most)
        throw lines.error(fmt::format("the header's '{}{}' is not a count", label, digits));
    line = line.substr(0, at);
    return value;
}

trace_header take_header(gzip_lines& lines) {
    std::string_view line;
    if (!lines.next(line))
        throw lines.error("the file is empty");
    if (line != "# palloc-heap-trace 1")
        throw lines.error("is not '# palloc-heap-trace 1'");
    if (!lines.next(line))
        throw lines.error("the second header line is missing");
    constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
    trace_header header;
    header.peak_live_blocks = take_count(lines, line, "   peak-live-blocks: ", any);
    header.peak_live_bytes = take_count(lines, line, "   peak-live-bytes: ", any);
    header.operations = take_count(lines, line, "   ops: ", most_operations);
    header.threads = take_count(lines, line, "   threads: ", most_threads);
    constexpr std::string_view label = "# program: ";
    if (!line.starts_with(label))
        throw lines.error("the header does not begin with '# program: '");
    header.program = line.substr(label.size());
    if (header.operations == 0 || header.threads == 0)
        throw lines.error("the trace has no operations");
    return header;
}

/// Follows the lines of a trace; holds what must be known of live blocks to check the next line.
class trace_builder {
  public:
    trace_builder(const std::filesystem::path& file,
                  const std::function<void(const trace_line&)>& see)
        : see_(see), lines_(file), header_(take_header(lines_)),
          ordered_(header_.operations + lookahead), thread_of_(header_.operations),
          slot_of_id_(header_.operations), slot_bytes_(header_.operations),
          slot_turns_(header_.operations), next_free_(header_.operations),
          first_free_(header_.threads) {
        std::fill(first_free_.begin(), first_free_.end(), none);
        result_.name = trace_name(file);
        result_.program = header_.program;
        result_.windows = (header_.operations + window_operations - 1) / window_operations;
        result_.peak_by_window = mapped_array<std::uint64_t>(result_.windows);
    }

    trace build() {
        std::string_view line;
        while (lines_.next(line)) {
            if (count_ == header_.operations)
                throw lines_.error(
                    fmt::format("more operations than the header's {}", header_.operations));
            take_line(line);
            result_.peak_by_window[count_ / window_operations] = result_.peak_live_bytes;
            ++count_;
        }
        check_totals();
        result_.thread_of = std::move(thread_of_);
        split_by_thread(result_, ordered_, header_.threads);
        return std::move(result_);
    }

  private:
    void take_line(std::string_view line) {
        if (line.size() < 2 || line[1] != ' ')
            throw lines_.error("is not an operation: 'a', 'f' or 'r', a space, and numbers");
        rest_ = line.substr(2);
        more_ = true;
        switch (line[0]) {
        case 'a':
            return take_allocation();
        case 'f':
            return take_release();
        case 'r':
            return take_resize();
        default:
            throw lines_.error(fmt::format("'{}' is no operation", line[0]));
        }
    }

    void take_allocation() {
        take_new_id();
        const std::uint64_t bytes = take_size();
        const std::uint64_t alignment = take_number("alignment", largest_alignment_bytes);
        if (!std::has_single_bit(alignment))
            throw lines_.error(fmt::format("the alignment {} is not a power of two", alignment));
        const std::size_t thread = take_thread();
        take_end();

        std::uint32_t slot = first_free_[thread];
        if (slot != none)
            first_free_[thread] = next_free_[slot];
        else
            slot = static_cast<std::uint32_t>(result_.slots++);
        slot_of_id_[ids_++] = slot;
        result_.largest_alignment = std::max(result_.largest_alignment, alignment);
        note(operation_kind::allocate, slot, bytes, std::countr_zero(alignment), thread);
        live(slot, bytes, 1);
        tell({operation_kind::allocate, ids_ - 1, 0, bytes, alignment, thread});
    }

    void take_release() {
        std::uint64_t id = 0;
        const std::uint32_t slot = take_live_id(id);
        const std::size_t thread = take_thread();
        take_end();

        next_free_[slot] = std::exchange(first_free_[thread], slot);
        note(operation_kind::release, slot, 1, 0, thread);
        live_bytes_ -= slot_bytes_[slot];
        --live_blocks_;
        tell({operation_kind::release, id, 0, 0, 0, thread});
    }

    void take_resize() {
        std::uint64_t old = 0;
        const std::uint32_t slot = take_live_id(old);
        take_new_id();
        const std::uint64_t bytes = take_size();
        const std::size_t thread = take_thread();
        take_end();

        slot_of_id_[ids_++] = slot;
        note(operation_kind::resize, slot, bytes, 4, thread); // realloc promises 16 bytes
        live_bytes_ -= slot_bytes_[slot];
        live(slot, bytes, 0);
        tell({operation_kind::resize, ids_ - 1, old, bytes, 16, thread});
    }

    void tell(const trace_line& line) const {
        if (see_)
            see_(line);
    }

    void note(operation_kind kind, std::uint32_t slot, std::uint64_t bytes, int alignment_log2,
              std::size_t thread) {
        operation& op = ordered_[count_];
        op.bytes = align_up(std::max<std::uint64_t>(bytes, 1), std::uint64_t{1} << alignment_log2) &
                   bytes_mask;
        op.alignment_log2 = static_cast<std::uint8_t>(alignment_log2);
        op.kind = kind;
        op.slot = slot;
        op.turn = slot_turns_[slot]++;
        thread_of_[count_] = static_cast<std::uint16_t>(thread);
        result_.largest_bytes = std::max<std::uint64_t>(result_.largest_bytes, op.bytes);
    }

    void live(std::uint32_t slot, std::uint64_t bytes, std::uint64_t blocks) {
        slot_bytes_[slot] = bytes;
        live_bytes_ += bytes;
        live_blocks_ += blocks;
        result_.peak_live_blocks = std::max(result_.peak_live_blocks, live_blocks_);
        if (live_bytes_ > result_.peak_live_bytes) {
            result_.peak_live_bytes = live_bytes_;
            result_.peak_at = count_ + 1;
        }
    }

    /// Takes the next number of the line, and the space behind it.
    std::uint64_t take_number(std::string_view what, std::uint64_t most) {
        std::uint64_t value = 0;
        const auto [end, code] = std::from_chars(rest_.begin(), rest_.end(), value);
        if (code == std::errc::result_out_of_range || (code == std::errc{} && value > most))
            throw lines_.error(fmt::format("the {} is more than {}", what, most));
        const bool last = end == rest_.end();
        if (!more_ || code != std::errc{} || (!last && *end != ' '))
            throw lines_.error(fmt::format("the {} is missing or not a number", what));
        more_ = !last;
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.begin()) + (last ? 0 : 1));
        return value;
    }

    std::uint64_t take_size() { return take_number("size", largest_block_bytes); }

    std::size_t take_thread() {
        const std::uint64_t thread = take_number("thread", most_threads);
        if (thread > threads_)
            throw lines_.error(fmt::format("thread {} comes before thread {}", thread, threads_));
        if (thread >= header_.threads)
            throw lines_.error(fmt::format("thread {} of a trace of {}", thread, header_.threads));
        threads_ = std::max(threads_, thread + 1);
        return thread;
    }

    void take_new_id() {
        const std::uint64_t id = take_number("id", none);
        if (id != ids_)
            throw lines_.error(fmt::format("the new id is {}; the next in order is {}", id, ids_));
    }

    /// The block is dead from here on: its next mention is an error.
    std::uint32_t take_live_id(std::uint64_t& id) {
        id = take_number("id", none);
        if (id >= ids_)
            throw lines_.error(fmt::format("id {} was never allocated", id));
        const std::uint32_t slot = std::exchange(slot_of_id_[id], none);
        if (slot == none)
            throw lines_.error(fmt::format("id {} is freed already", id));
        return slot;
    }

    void take_end() const {
        if (more_)
            throw lines_.error("there is more on the line than belongs there");
    }

    void check_totals() const {
        const auto same = [&](std::string_view what, std::uint64_t said, std::uint64_t is) {
            if (said != is)
                throw lines_.error(
                    fmt::format("the file ends; the header says {} {}, it has {}", said, what, is));
        };
        same("operations", header_.operations, count_);
        same("threads", header_.threads, threads_);
        same("peak-live-bytes", header_.peak_live_bytes, result_.peak_live_bytes);
        same("peak-live-blocks", header_.peak_live_blocks, result_.peak_live_blocks);
    }

    const std::function<void(const trace_line&)>& see_;
    gzip_lines lines_;
    trace_header header_;
    trace result_;
    std::string_view rest_; // of the line
    bool more_ = false;     // whether the line goes on, were it only with nothing
    std::size_t count_ = 0;
    std::uint64_t ids_ = 0;
    std::uint64_t threads_ = 0;
    std::uint64_t live_bytes_ = 0;
    std::uint64_t live_blocks_ = 0;
    mapped_array<operation> ordered_;
    mapped_array<std::uint16_t> thread_of_;
    mapped_array<std::uint32_t> slot_of_id_; // `none` once the block is gone
    mapped_array<std::uint64_t> slot_bytes_;
    mapped_array<std::uint32_t> slot_turns_;
    mapped_array<std::uint32_t> next_free_; // of the slots that a thread has freed
    mapped_array<std::uint32_t> first_free_;
};

} // namespace

std::string trace_name(const std::filesystem::path& file) {
    std::string name = file.filename().string();
    for (const std::string_view suffix : {".gz", ".trace"})
        if (name.ends_with(suffix))
            name.resize(name.size() - suffix.size());
    return name;
}

trace_header read_trace_header(const std::filesystem::path& file) {
    gzip_lines lines(file);
    return take_header(lines);
}

trace read_trace(const std::filesystem::path& file,
                 const std::function<void(const trace_line&)>& see) {
    return trace_builder(file, see).build();
}

} // namespace palloc::bench
