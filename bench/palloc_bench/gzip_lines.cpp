// SPDX-License-Identifier: MIT
#include "gzip_lines.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace palloc::bench {

trace_error::trace_error(const std::filesystem::path& file, std::size_t line, std::string_view what)
    : std::runtime_error(line == 0 ? fmt::format("{}: {}", file.string(), what)
                                   : fmt::format("{}:{}: {}", file.string(), line, what)) {}

gzip_lines::gzip_lines(std::filesystem::path file)
    : file_(std::move(file)), source_(gzopen(file_.string().c_str(), "rb"), gzclose_r) {
    if (!source_)
        throw trace_error(file_, 0, fmt::format("cannot be opened: {}", std::strerror(errno)));
    if (zstd_source::is_one(file_))
        zstd_ = std::make_unique<zstd_source>(file_);
}

bool gzip_lines::next(std::string_view& line) {
    ++number_;
    for (;;) {
        const char* const from = buffer_.data() + begin_;
        if (const void* const found = std::memchr(from, '\n', end_ - begin_)) {
            const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - from);
            line = {from, length};
            begin_ += length + 1;
            return true;
        }
        if (refill())
            continue;
        if (begin_ != end_)
            throw error("the line is truncated: the file ends in it");
        return false;
    }
}

bool gzip_lines::refill() {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
    if (end_ == buffer_.size())
        throw error(fmt::format("the line is longer than {} bytes", longest_line_bytes));
    const int got = read(buffer_.data() + end_, buffer_.size() - end_);
    if (got > 0) {
        end_ += static_cast<std::size_t>(got);
        return true;
    }
    if (zstd_)
        return false;
    int code = Z_OK;
    const char* const what = gzerror(source_.get(), &code);
    if (code == Z_BUF_ERROR)
        throw error("the compressed file is truncated");
    if (code != Z_OK)
        throw error(fmt::format("the compressed file is damaged: {}",
                                code == Z_ERRNO ? std::strerror(errno) : what));
    return false;
}

int gzip_lines::read(char* to, std::size_t most) {
    if (!zstd_)
        return gzread(source_.get(), to, static_cast<unsigned>(most));
    try {
        return static_cast<int>(zstd_->read(to, most));
    } catch (const std::runtime_error& wrong) {
        throw error(wrong.what());
    }
}

trace_error gzip_lines::error(std::string_view what) const {
    return {file_, number_, what};
}

} // namespace palloc::bench
