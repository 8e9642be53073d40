// SPDX-License-Identifier: MIT
#include "heaptrack_import.hpp"

#include <charconv>
#include <fmt/format.h>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "gzip_lines.hpp"

namespace palloc::bench {
namespace {

constexpr std::uint64_t most_calls = std::uint64_t{1} << 32;
constexpr std::uint64_t alignment = 16;
constexpr std::uint64_t thread = 0;
constexpr std::string_view kinds = "vXIstia+-cRA#mSeDPK";

class importer {
  public:
    importer(const std::filesystem::path& from, const std::filesystem::path& to)
        : lines_(from), from_(from), to_(to) {}

    trace_writer::totals run() {
        take_head();
        trace_writer writer(to_, program_);
        for (std::string_view line; lines_.next(line);)
            take(writer, line);
        if (writer.so_far().header.operations == 0)
            throw trace_error(from_, 0, "has no allocations");
        return writer.finish();
    }

  private:
    /// Up to the command line.
    void take_head() {
        std::string_view line;
        if (!lines_.next(line))
            throw lines_.error("the file is empty");
        if (!line.starts_with("v "))
            throw lines_.error("is not heaptrack's 'v' and a version");
        rest_ = line.substr(2);
        (void)number("version");
        while (lines_.next(line))
            if (line.starts_with("X ")) {
                program_ = line.substr(2);
                return;
            } else if (line.starts_with('+') || line.starts_with('a'))
                throw lines_.error("an allocation before the line 'X' with the program's name");
        throw lines_.error("the file ends before the line 'X' with the program's name");
    }

    void take(trace_writer& writer, std::string_view line) {
        if (line.empty())
            return;
        if (kinds.find(line[0]) == std::string_view::npos)
            throw lines_.error(fmt::format("'{}' is no line of heaptrack", line[0]));
        if (line[0] == 's')
            return skip_string(line);
        if (line[0] != 'a' && line[0] != '+' && line[0] != '-')
            return;
        if (line.size() < 2 || line[1] != ' ')
            throw lines_.error("the number is missing");
        rest_ = line.substr(2);
        if (line[0] == 'a')
            calls_.push_back({size(), {}});
        else if (line[0] == '-')
            release(writer, number("block"));
        else
            allocate(writer);
    }

    /// A string may have line ends in it; its length tells.
    void skip_string(std::string_view line) {
        rest_ = line.size() < 2 ? std::string_view() : line.substr(2);
        const std::size_t before = rest_.size();
        std::uint64_t length = 0;
        const auto [end, code] = std::from_chars(rest_.begin(), rest_.end(), length, 16);
        if (code != std::errc{} || (end != rest_.end() && *end != ' '))
            return; // version 1: no length
        std::uint64_t got = before - static_cast<std::size_t>(end - rest_.begin());
        got -= got != 0;
        for (std::string_view more; got < length && lines_.next(more);)
            got += 1 + more.size();
    }

    void allocate(trace_writer& writer) {
        const std::uint64_t first = number("size or call");
        if (rest_.empty()) { // interpreted: one more of a known call
            if (first >= calls_.size())
                throw lines_.error(fmt::format("call {:x} was never described", first));
            call& made = calls_[first];
            made.live.push_back(++blocks_);
            return writer.allocate(blocks_, made.bytes, alignment, thread);
        }
        raw_ = true;
        const std::uint64_t bytes = checked_size(first);
        (void)number("call");
        writer.allocate(number("address"), bytes, alignment, thread);
    }

    void release(trace_writer& writer, std::uint64_t which) {
        if (raw_ || calls_.empty())
            return writer.release(which, thread);
        if (which >= calls_.size())
            throw lines_.error(fmt::format("call {:x} was never described", which));
        auto& live = calls_[which].live;
        if (live.empty())
            throw lines_.error(fmt::format("more blocks of call {:x} freed than allocated", which));
        writer.release(live.back(), thread);
        live.pop_back();
    }

    std::uint64_t size() { return checked_size(number("size")); }

    std::uint64_t checked_size(std::uint64_t bytes) const {
        if (bytes > largest_block_bytes)
            throw lines_.error(fmt::format("the size is more than {}", largest_block_bytes));
        if (calls_.size() == most_calls)
            throw lines_.error("too many calls");
        return bytes;
    }

    /// Takes the next number, hexadecimal, and the space behind it.
    std::uint64_t number(std::string_view what) {
        std::uint64_t value = 0;
        const auto [end, code] = std::from_chars(rest_.begin(), rest_.end(), value, 16);
        const bool last = end == rest_.end();
        if (code != std::errc{} || (!last && *end != ' '))
            throw lines_.error(fmt::format("the {} is missing or not a number", what));
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.begin()) + (last ? 0 : 1));
        return value;
    }

    /// One size from one call stack.
    struct call {
        std::uint64_t bytes;
        std::vector<std::uint64_t> live;
    };

    gzip_lines lines_;
    std::filesystem::path from_;
    std::filesystem::path to_;
    std::string program_;
    std::string_view rest_;
    std::vector<call> calls_;
    std::uint64_t blocks_ = 0;
    bool raw_ = false;
};

} // namespace

trace_writer::totals import_heaptrack(const std::filesystem::path& from,
                                      const std::filesystem::path& to) {
    std::error_code failed;
    if (std::filesystem::equivalent(from, to, failed))
        throw trace_error(to, 0, "is the file to be read");
    const std::filesystem::path part = to.string() + ".part";
    try {
        trace_writer::totals totals = importer(from, part).run();
        std::filesystem::rename(part, to);
        return totals;
    } catch (...) {
        std::filesystem::remove(part, failed);
        throw;
    }
}

} // namespace palloc::bench
