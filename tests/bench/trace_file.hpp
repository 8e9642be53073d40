// SPDX-License-Identifier: MIT
/// @file
/// @brief Traces made for tests: by hand, or at random.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>
#include <zlib.h>

namespace palloc::test {

/// @brief A file that goes away with the object.
class temporary_file {
  public:
    explicit temporary_file(std::string_view content, std::string_view name = "tiny.trace") {
        std::random_device random;
        std::filesystem::path folder;
        do
            folder =
                std::filesystem::temp_directory_path() / ("palloc-" + std::to_string(random()));
        while (!std::filesystem::create_directory(folder)); // it throws where it cannot
        path_ = folder / name;
        std::ofstream(path_, std::ios::binary) << content;
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() { std::filesystem::remove_all(path_.parent_path()); }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

inline std::string gzip(std::string_view text) {
    const temporary_file out("");
    const gzFile file = gzopen(out.path().string().c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    std::ifstream in(out.path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// @brief Two threads, six operations, at most 140 bytes in two blocks.
inline constexpr std::string_view tiny_trace =
    "# palloc-heap-trace 1\n"
    "# program: by hand   threads: 2   ops: 6   peak-live-bytes: 140   peak-live-blocks: 2\n"
    "a 0 24 16 0\n"
    "a 1 0 64 0\n"
    "f 0 0\n"
    "a 2 100 16 1\n"
    "r 1 3 40 1\n"
    "f 2 0\n";

/// @brief Of 32 KiB, 30 blocks of 1 KiB, every second of which goes: 17 KiB are free, nowhere more
///   than 2 in one piece, and from operation 46 on eight requests want 4.
inline std::string comb_trace() {
    std::string text = "# palloc-heap-trace 1\n# program: comb   threads: 1   ops: 53   "
                       "peak-live-bytes: 48128   peak-live-blocks: 30\n";
    for (int id = 0; id != 30; ++id)
        text += "a " + std::to_string(id) + " 1024 16 0\n";
    for (int id = 0; id != 30; id += 2)
        text += "f " + std::to_string(id) + " 0\n";
    for (int id = 30; id != 38; ++id)
        text += "a " + std::to_string(id) + " 4096 16 0\n";
    return text;
}

/// @brief What a random trace does, told apart from its text.
struct random_trace {
    struct step {
        char kind;
        std::uint64_t id;     ///< of the block that is made, or freed
        std::uint64_t old_id; ///< r
        std::uint64_t bytes;
        std::uint64_t alignment;
        std::size_t thread;
    };

    std::vector<step> steps;
    std::size_t threads = 0;
    std::uint64_t peak_live_bytes = 0;
    std::size_t peak_live_blocks = 0;
    std::size_t left_over = 0; ///< blocks that are never freed
    std::string text;
};

inline std::uint64_t seed() {
    const char* const given = std::getenv("PALLOC_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 0) : 20260101;
}

/// @brief Any thread frees and resizes any block.
inline random_trace make_random_trace(std::mt19937_64& random, std::size_t threads,
                                      std::size_t operations) {
    struct block {
        std::uint64_t id;
        std::uint64_t bytes;
    };
    random_trace made;
    std::vector<block> live;
    std::uint64_t ids = 0;
    std::uint64_t live_bytes = 0;
    std::string body;
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    for (std::size_t i = 0; i != operations; ++i) {
        const std::size_t thread =
            made.threads < threads && below(8) == 0 ? made.threads : below(made.threads + 1);
        random_trace::step now{'a',
                               0,
                               0,
                               below(300),
                               std::size_t{16} << below(3),
                               i == 0 ? 0 : std::min(thread, threads - 1)};
        made.threads = std::max(made.threads, now.thread + 1);
        const std::size_t dice = below(10);
        if (live.empty() || dice < 5) {
            now.id = ids++;
            live.push_back({now.id, now.bytes});
            body += "a " + std::to_string(now.id) + ' ' + std::to_string(now.bytes) + ' ' +
                    std::to_string(now.alignment);
            live_bytes += now.bytes;
        } else {
            block& chosen = live[below(live.size())];
            live_bytes -= chosen.bytes;
            if (dice < 9) {
                now.kind = 'f';
                now.id = chosen.id;
                body += "f " + std::to_string(now.id);
                chosen = live.back();
                live.pop_back();
            } else {
                now.kind = 'r';
                now.old_id = chosen.id;
                now.id = ids++;
                now.alignment = 16;
                body += "r " + std::to_string(chosen.id) + ' ' + std::to_string(now.id) + ' ' +
                        std::to_string(now.bytes);
                chosen = {now.id, now.bytes};
                live_bytes += now.bytes;
            }
        }
        body += ' ' + std::to_string(now.thread) + '\n';
        made.steps.push_back(now);
        made.peak_live_bytes = std::max(made.peak_live_bytes, live_bytes);
        made.peak_live_blocks = std::max(made.peak_live_blocks, live.size());
    }
    made.left_over = live.size();
    made.text =
        "# palloc-heap-trace 1\n# program: at random   threads: " + std::to_string(made.threads) +
        "   ops: " + std::to_string(operations) +
        "   peak-live-bytes: " + std::to_string(made.peak_live_bytes) +
        "   peak-live-blocks: " + std::to_string(made.peak_live_blocks) + '\n' + body;
    return made;
}

} // namespace palloc::test
