// SPDX-License-Identifier: MIT
/// @file
/// @brief Writes a heap trace, compressed while it comes, of what is only known by addresses.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <tsl/robin_map.h>
#include <vector>
#include <zlib.h>

#include "trace_reader.hpp"

namespace palloc::bench {

/// @brief Takes events in the order in which they happened; knows which blocks are live.
///
/// The header, which tells counts that are known last, is a gzip member of its own and of constant
/// length, padded in gzip's extra field, and written anew at the end; until then it says that the
/// trace has no operations. Frees of blocks that are not known are counted and left out; an
/// allocation where a block is live says that its free was missed, and adds it.
class trace_writer {
  public:
    /// @brief What the trace came to.
    struct totals {
        trace_header header;
        std::uint64_t allocations = 0;     ///< resizes included
        std::uint64_t allocated_bytes = 0; ///< resizes with their whole new size
        std::uint64_t unknown_releases = 0;
        std::uint64_t missed_releases = 0;
    };

    /// @param program  what was recorded; only its first 2000 bytes, in one line
    /// @par Errors  throws `trace_error`: cannot be written
    trace_writer(const std::filesystem::path& file, std::string program);
    ~trace_writer();
    trace_writer(const trace_writer&) = delete;
    trace_writer& operator=(const trace_writer&) = delete;

    /// @param thread  any number; in the trace they are counted in order of appearance
    /// @par Errors  these throw `trace_error`: cannot be written
    void allocate(std::uint64_t address, std::uint64_t bytes, std::uint64_t alignment,
                  std::uint64_t thread);
    void release(std::uint64_t address, std::uint64_t thread);
    /// @brief From here on another block may come to `address`.
    void begin_resize(std::uint64_t address, std::uint64_t thread);
    /// @param address  0: the resize failed
    void end_resize(std::uint64_t address, std::uint64_t bytes, std::uint64_t thread);

    /// @brief Writes the header. No event may follow.
    /// @par Errors  throws `trace_error`: cannot be written
    totals finish();

    [[nodiscard]] const totals& so_far() const noexcept { return totals_; }

  private:
    static constexpr std::size_t header_member_bytes = 4096;

    struct block {
        std::uint64_t id;
        std::uint64_t bytes;
    };
    struct pending_resize {
        std::uint64_t address;
        block old;
        bool known;
    };

    std::uint64_t number_of(std::uint64_t thread);
    void make_live(std::uint64_t address, std::uint64_t bytes, std::uint64_t thread);
    void count_live(std::uint64_t bytes);
    void end_life(const block& gone, std::uint64_t number);
    bool take(std::uint64_t address, block& taken);
    template <class... Numbers>
    void line(char kind, Numbers... numbers);
    void compress(int flush);
    void write_header();
    void check() const;

    std::filesystem::path file_;
    std::ofstream out_;
    z_stream deflate_{};
    bool finished_ = false;
    totals totals_;
    std::uint64_t live_bytes_ = 0;
    std::uint64_t live_blocks_ = 0; ///< those included whose resize has begun
    std::uint64_t ids_ = 0;
    tsl::robin_map<std::uint64_t, block> live_;
    tsl::robin_map<std::uint64_t, std::uint64_t> threads_;
    tsl::robin_map<std::uint64_t, pending_resize> resizing_; // by thread
    std::uint64_t last_thread_ = 0;
    std::uint64_t last_number_ = 0;
    std::vector<char> text_;
    std::size_t text_bytes_ = 0;
    std::vector<unsigned char> compressed_;
};

} // namespace palloc::bench
