// SPDX-License-Identifier: MIT
#include "trace_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace palloc::bench {
namespace {

constexpr std::size_t text_capacity = std::size_t{256} * 1024;
constexpr std::size_t longest_line = 96;
constexpr std::size_t longest_program = 2000;
constexpr std::uint64_t most_threads = 65535; // that a trace may have

std::string in_one_line(std::string text) {
    if (text.size() > longest_program)
        text.resize(longest_program);
    for (char& c : text)
        if (static_cast<unsigned char>(c) < ' ')
            c = ' ';
    while (text.ends_with(' '))
        text.pop_back();
    return text;
}

void append(std::string& to, std::uint32_t value, int bytes) {
    for (int i = 0; i != bytes; ++i)
        to += static_cast<char>(value >> 8 * i & 0xff);
}

/// A gzip member (RFC 1952) of exactly `length` bytes: padding in its extra field, the text stored.
std::string stored_member(std::string_view text, std::size_t length) {
    constexpr std::size_t fixed = 10 + 2 + 4 + 5 + 8; // header, extra's length and tag, block, tail
    const std::size_t padding = length - fixed - text.size();
    std::string member("\x1f\x8b\x08\x04\0\0\0\0\0\xff", 10);
    append(member, static_cast<std::uint32_t>(padding + 4), 2);
    member += "pl"; // the subfield's tag
    append(member, static_cast<std::uint32_t>(padding), 2);
    member.append(padding, '\0');
    member += '\x01'; // the last block, stored
    append(member, static_cast<std::uint32_t>(text.size()), 2);
    append(member, ~static_cast<std::uint32_t>(text.size()), 2);
    member += text;
    append(member,
           static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(text.data()),
                                            static_cast<uInt>(text.size()))),
           4);
    append(member, static_cast<std::uint32_t>(text.size()), 4);
    return member;
}

} // namespace

trace_writer::trace_writer(const std::filesystem::path& file, std::string program)
    : file_(file), out_(file, std::ios::binary | std::ios::trunc), text_(text_capacity),
      compressed_(text_capacity) {
    totals_.header.program = in_one_line(std::move(program));
    if (!out_)
        throw trace_error(file_, 0, fmt::format("cannot be written: {}", std::strerror(errno)));
    constexpr int gzip_format = 15 + 16;
    constexpr int most_memory = 9;
    if (deflateInit2(&deflate_, Z_BEST_SPEED, Z_DEFLATED, gzip_format, most_memory,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::bad_alloc();
    write_header();
}

trace_writer::~trace_writer() {
    deflateEnd(&deflate_);
}

void trace_writer::allocate(std::uint64_t address, std::uint64_t bytes, std::uint64_t alignment,
                            std::uint64_t thread) {
    const std::uint64_t number = number_of(thread);
    make_live(address, bytes, number);
    line('a', ids_++, bytes, alignment, number);
    count_live(bytes);
}

void trace_writer::release(std::uint64_t address, std::uint64_t thread) {
    // A realloc to nothing was begun as a resize.
    if (const auto begun = resizing_.find(thread);
        begun != resizing_.end() && begun->second.address == address) {
        const pending_resize resize = begun->second;
        resizing_.erase(begun);
        if (resize.known)
            end_life(resize.old, number_of(thread));
        else
            ++totals_.unknown_releases;
        return;
    }
    block gone;
    if (take(address, gone))
        end_life(gone, number_of(thread));
    else
        ++totals_.unknown_releases;
}

void trace_writer::begin_resize(std::uint64_t address, std::uint64_t thread) {
    pending_resize begun{address, {}, false};
    begun.known = take(address, begun.old);
    resizing_[thread] = begun;
}

void trace_writer::end_resize(std::uint64_t address, std::uint64_t bytes, std::uint64_t thread) {
    const auto begun = resizing_.find(thread);
    if (begun == resizing_.end())
        return;
    const pending_resize resize = begun->second;
    resizing_.erase(begun);
    const std::uint64_t number = number_of(thread);
    if (address == 0) {
        if (resize.known)
            live_[resize.address] = resize.old;
        return;
    }
    make_live(address, bytes, number);
    if (resize.known) {
        line('r', resize.old.id, ids_++, bytes, number);
        live_bytes_ -= resize.old.bytes;
        --live_blocks_;
    } else // of a block from before the recording: to the trace a new one
        line('a', ids_++, bytes, std::uint64_t{16}, number);
    count_live(bytes);
}

trace_writer::totals trace_writer::finish() {
    if (!std::exchange(finished_, true)) {
        // A thread that was killed within a realloc has neither block any more.
        for (const auto& [thread, resize] : resizing_)
            if (resize.known)
                end_life(resize.old, number_of(thread));
        totals_.header.threads = threads_.size() < most_threads ? threads_.size() : most_threads;
        compress(Z_FINISH);
        out_.seekp(0);
        write_header();
        out_.close();
        check();
    }
    return totals_;
}

std::uint64_t trace_writer::number_of(std::uint64_t thread) {
    if (thread == last_thread_ && !threads_.empty())
        return last_number_;
    const auto [found, fresh] = threads_.try_emplace(thread, threads_.size());
    last_thread_ = thread;
    last_number_ = std::min(found->second, most_threads - 1);
    return last_number_;
}

void trace_writer::make_live(std::uint64_t address, std::uint64_t bytes, std::uint64_t thread) {
    block missed;
    if (take(address, missed)) {
        end_life(missed, thread);
        ++totals_.missed_releases;
    }
    live_[address] = {ids_, bytes};
}

/// The block that was made live last is in the trace now.
void trace_writer::count_live(std::uint64_t bytes) {
    ++totals_.allocations;
    totals_.allocated_bytes += bytes;
    live_bytes_ += bytes;
    trace_header& header = totals_.header;
    header.peak_live_bytes = std::max(header.peak_live_bytes, live_bytes_);
    header.peak_live_blocks = std::max(header.peak_live_blocks, ++live_blocks_);
}

void trace_writer::end_life(const block& gone, std::uint64_t number) {
    line('f', gone.id, number);
    live_bytes_ -= gone.bytes;
    --live_blocks_;
}

bool trace_writer::take(std::uint64_t address, block& taken) {
    const auto found = live_.find(address);
    if (found == live_.end())
        return false;
    taken = found->second;
    live_.erase(found);
    return true;
}

template <class... Numbers>
void trace_writer::line(char kind, Numbers... numbers) {
    if (text_capacity - text_bytes_ < longest_line)
        compress(Z_NO_FLUSH);
    char* at = text_.data() + text_bytes_;
    char* const end = text_.data() + text_.size();
    *at++ = kind;
    ((*at++ = ' ', at = std::to_chars(at, end, numbers).ptr), ...);
    *at++ = '\n';
    text_bytes_ = static_cast<std::size_t>(at - text_.data());
    ++totals_.header.operations;
}

void trace_writer::compress(int flush) {
    deflate_.next_in = reinterpret_cast<Bytef*>(text_.data());
    deflate_.avail_in = static_cast<uInt>(std::exchange(text_bytes_, 0));
    do {
        deflate_.next_out = compressed_.data();
        deflate_.avail_out = static_cast<uInt>(compressed_.size());
        deflate(&deflate_, flush);
        out_.write(reinterpret_cast<const char*>(compressed_.data()),
                   static_cast<std::streamsize>(compressed_.size() - deflate_.avail_out));
    } while (deflate_.avail_out == 0);
    check();
}

void trace_writer::write_header() {
    const trace_header& header = totals_.header;
    const std::string member =
        stored_member(fmt::format("# palloc-heap-trace 1\n# program: {}   threads: {}   ops: {}   "
                                  "peak-live-bytes: {}   peak-live-blocks: {}\n",
                                  header.program, header.threads, header.operations,
                                  header.peak_live_bytes, header.peak_live_blocks),
                      header_member_bytes);
    out_.write(member.data(), static_cast<std::streamsize>(member.size()));
    out_.flush();
    check();
}

void trace_writer::check() const {
    if (!out_)
        throw trace_error(file_, 0, fmt::format("cannot be written: {}", std::strerror(errno)));
}

} // namespace palloc::bench
