// SPDX-License-Identifier: MIT
#include "zstd_source.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>
#include <zstd.h>

namespace palloc::bench {

struct zstd_source::stream {
    std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> of{ZSTD_createDStream(),
                                                                     ZSTD_freeDStream};
    std::vector<char> input = std::vector<char>(ZSTD_DStreamInSize());
    ZSTD_inBuffer pending{};
    bool frame_open = false;
};

bool zstd_source::is_one(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::array<char, 4> start{};
    return in.read(start.data(), start.size()) &&
           start == std::array{'\x28', '\xb5', '\x2f', '\xfd'};
}

zstd_source::zstd_source(const std::filesystem::path& file)
    : file_(std::fopen(file.c_str(), "rbe"), std::fclose),
      stream_(new stream, [](stream* gone) { delete gone; }) {
    if (!file_)
        throw std::runtime_error(std::string("cannot be opened: ") + std::strerror(errno));
    if (!stream_->of)
        throw std::bad_alloc();
}

std::size_t zstd_source::read(char* to, std::size_t most) {
    ZSTD_outBuffer out{to, most, 0};
    auto& [of, input, pending, frame_open] = *stream_;
    while (out.pos == 0) {
        if (pending.pos == pending.size) {
            pending = {input.data(), std::fread(input.data(), 1, input.size(), file_.get()), 0};
            if (pending.size == 0) {
                if (std::ferror(file_.get()) != 0)
                    throw std::runtime_error(std::strerror(errno));
                if (frame_open)
                    throw std::runtime_error("the compressed file is truncated");
                return 0;
            }
        }
        const std::size_t left = ZSTD_decompressStream(of.get(), &out, &pending);
        if (ZSTD_isError(left) != 0)
            throw std::runtime_error(std::string("the compressed file is damaged: ") +
                                     ZSTD_getErrorName(left));
        frame_open = left != 0;
    }
    return out.pos;
}

} // namespace palloc::bench
