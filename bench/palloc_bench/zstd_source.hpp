// SPDX-License-Identifier: MIT
/// @file
/// @brief A file that zstd compressed, read piece by piece.
#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace palloc::bench {

class zstd_source {
  public:
    /// @brief Whether the file begins as zstd's do.
    [[nodiscard]] static bool is_one(const std::filesystem::path& file);

    explicit zstd_source(const std::filesystem::path& file);

    /// @return bytes read; 0 at the end
    /// @par Errors  throws `std::runtime_error`, which says what is wrong
    [[nodiscard]] std::size_t read(char* to, std::size_t most);

  private:
    struct stream;

    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
    std::unique_ptr<stream, void (*)(stream*)> stream_;
};

} // namespace palloc::bench
