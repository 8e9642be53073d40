// SPDX-License-Identifier: MIT
// In the place of zstd_source.cpp, where the library is not to be had.
#include <stdexcept>

#include "zstd_source.hpp"

namespace palloc::bench {

struct zstd_source::stream {};

bool zstd_source::is_one(const std::filesystem::path& file) {
    return file.extension() == ".zst";
}

zstd_source::zstd_source(const std::filesystem::path&)
    : file_(nullptr, std::fclose), stream_(nullptr, [](stream*) {}) {
    throw std::runtime_error("this program was built without zstd");
}

std::size_t zstd_source::read(char*, std::size_t) {
    return 0;
}

} // namespace palloc::bench
