// SPDX-License-Identifier: MIT
#include "zstd_source.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

namespace palloc::bench {

bool zstd_source::is_one(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::array<char, 4> start{};
    return in.read(start.data(), start.size()) &&
           start == std::array{'\x28', '\xb5', '\x2f', '\xfd'};
}

zstd_source::zstd_source(const std::filesystem::path& file)
    : file_(std::fopen(file.c_str(), "rbe"), std::fclose),
      stream_(ZSTD_createDStream(), ZSTD_freeDStream), input_(ZSTD_DStreamInSize()) {
    if (!file_)
        throw std::runtime_error(std::string("cannot be opened: ") + std::strerror(errno));
    if (!stream_)
        throw std::bad_alloc();
}

std::size_t zstd_source::read(char* to, std::size_t most) {
    ZSTD_outBuffer out{to, most, 0};
    while (out.pos == 0) {
        if (pending_.pos == pending_.size) {
            pending_ = {input_.data(), std::fread(input_.data(), 1, input_.size(), file_.get()), 0};
            if (pending_.size == 0) {
                if (std::ferror(file_.get()) != 0)
                    throw std::runtime_error(std::strerror(errno));
                if (frame_open_)
                    throw std::runtime_error("the compressed file is truncated");
                return 0;
            }
        }
        const std::size_t left = ZSTD_decompressStream(stream_.get(), &out, &pending_);
        if (ZSTD_isError(left) != 0)
            throw std::runtime_error(std::string("the compressed file is damaged: ") +
                                     ZSTD_getErrorName(left));
        frame_open_ = left != 0;
    }
    return out.pos;
}

} // namespace palloc::bench
