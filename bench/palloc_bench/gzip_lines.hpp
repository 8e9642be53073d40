// SPDX-License-Identifier: MIT
/// @file
/// @brief The lines of a text file, compressed by gzip, by zstd, or not.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <zlib.h>

#include "zstd_source.hpp"

namespace palloc::bench {

/// @brief A file that is no trace: its name, the line, and what is wrong there.
class trace_error : public std::runtime_error {
  public:
    /// @param line  0: the file as a whole
    trace_error(const std::filesystem::path& file, std::size_t line, std::string_view what);
};

class gzip_lines {
  public:
    explicit gzip_lines(std::filesystem::path file);

    /// @brief Reads the next line, valid until the next call; false at the end of the file.
    /// @par Errors  throws `trace_error`: damaged or truncated compression, a last line without its
    ///   end, a line that is too long
    [[nodiscard]] bool next(std::string_view& line);

    /// @brief The error `what` at the line read last.
    [[nodiscard]] trace_error error(std::string_view what) const;

  private:
    static constexpr std::size_t longest_line_bytes = 64 * 1024;

    [[nodiscard]] bool refill();
    [[nodiscard]] int read(char* to, std::size_t most);

    std::filesystem::path file_;
    std::unique_ptr<gzFile_s, int (*)(gzFile)> source_;
    std::unique_ptr<zstd_source> zstd_; // null: gzip's library reads the file
    std::size_t number_ = 0;
    std::size_t begin_ = 0; // of what is unread in the buffer
    std::size_t end_ = 0;
    std::array<char, longest_line_bytes> buffer_;
};

} // namespace palloc::bench
