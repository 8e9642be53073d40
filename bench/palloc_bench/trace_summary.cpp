// SPDX-License-Identifier: MIT
#include "trace_summary.hpp"

#include <algorithm>
#include <bit>
#include <fmt/format.h>
#include <iterator>

#include "trace_reader.hpp"

namespace palloc::bench {
namespace {

struct block {
    std::uint64_t bytes = 0;
    std::uint64_t born = 0;
    std::uint32_t growths = 0;
    std::uint16_t thread = 0;
    bool live = false;
};

class collector {
  public:
    void see(const trace_line& line) {
        ++sum.operations;
        if (line.thread >= sum.by_thread.size())
            sum.by_thread.resize(line.thread + 1);
        ++sum.by_thread[line.thread];
        if (line.kind == operation_kind::release) {
            ++sum.releases;
            end(line.id, line.thread);
            return;
        }
        std::uint32_t growths = 0;
        if (line.kind == operation_kind::resize) {
            const block old = blocks_[line.old];
            ++sum.resizes;
            sum.grown += line.bytes > old.bytes;
            sum.shrunk += line.bytes < old.bytes;
            sum.copied_bytes += std::min(line.bytes, old.bytes);
            growths = old.growths + 1;
            sum.longest_growth = std::max<std::uint64_t>(sum.longest_growth, growths);
            end(line.old, line.thread);
        } else
            ++sum.allocations;
        begin(line, growths);
    }

    void finish() {
        std::sort(sizes_.begin(), sizes_.end());
        const auto at = [&](std::size_t percent) {
            return sizes_[(sizes_.size() - 1) * percent / 100];
        };
        sum.size_p50 = at(50);
        sum.size_p90 = at(90);
        sum.size_p99 = at(99);
        sum.size_max = sizes_.back();
        sum.live_bytes_at_end = live_bytes_;
        for (const block& each : blocks_)
            sum.lived.never += each.live;
    }

    trace_summary sum;

  private:
    void begin(const trace_line& line, std::uint32_t growths) {
        blocks_.push_back(
            {line.bytes, sum.operations, growths, static_cast<std::uint16_t>(line.thread), true});
        sizes_.push_back(line.bytes);
        sum.allocated_bytes += line.bytes;
        sum.over_aligned += line.alignment > 16;
        const std::size_t number = size_class_of(line.bytes);
        trace_summary::size_class& mine = sum.by_size[number];
        ++mine.blocks;
        mine.bytes += line.bytes;
        mine.peak_live_bytes = std::max(mine.peak_live_bytes, live_by_size_[number] += line.bytes);
        live_bytes_ += line.bytes;
        if (live_bytes_ > sum.peak_live_bytes) {
            sum.peak_live_bytes = live_bytes_;
            sum.peak_at = sum.operations;
        }
    }

    void end(std::uint64_t id, std::size_t thread) {
        block& gone = blocks_[id];
        gone.live = false;
        live_bytes_ -= gone.bytes;
        live_by_size_[size_class_of(gone.bytes)] -= gone.bytes;
        sum.cross_thread += gone.thread != thread;
        const std::uint64_t age = sum.operations - gone.born;
        auto& lived = sum.lived;
        ++(age <= 16      ? lived.to_16
           : age <= 256   ? lived.to_256
           : age <= 4096  ? lived.to_4096
           : age <= 65536 ? lived.to_65536
                          : lived.longer);
    }

    std::vector<block> blocks_; // by id
    std::vector<std::uint64_t> sizes_;
    std::array<std::uint64_t, trace_summary::classes> live_by_size_{};
    std::uint64_t live_bytes_ = 0;
};

double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

} // namespace

std::size_t size_class_of(std::uint64_t bytes) noexcept {
    return bytes <= 1 ? 0 : static_cast<std::size_t>(std::bit_width(bytes - 1));
}

trace_summary summarize_trace(const std::filesystem::path& file) {
    collector all;
    const trace program = read_trace(file, [&](const trace_line& line) { all.see(line); });
    all.finish();
    all.sum.name = program.name;
    all.sum.program = program.program;
    all.sum.threads = program.threads();
    all.sum.peak_live_blocks = program.peak_live_blocks;
    return std::move(all.sum);
}

std::string text_of(const trace_summary& sum) {
    std::string text;
    const auto out = std::back_inserter(text);
    const std::uint64_t blocks = sum.allocations + sum.resizes;
    fmt::format_to(out, "{}: {}\n", sum.name, sum.program);
    fmt::format_to(out, "operations    {}: {} allocations, {} frees, {} reallocs\n", sum.operations,
                   sum.allocations, sum.releases, sum.resizes);
    fmt::format_to(out, "allocated     {} bytes in {} blocks\n", sum.allocated_bytes, blocks);
    fmt::format_to(out,
                   "peak          {} bytes at operation {}; {} blocks; at the end {} bytes live\n",
                   sum.peak_live_bytes, sum.peak_at, sum.peak_live_blocks, sum.live_bytes_at_end);
    fmt::format_to(out, "sizes         p50 {}, p90 {}, p99 {}, max {}; {} over-aligned\n",
                   sum.size_p50, sum.size_p90, sum.size_p99, sum.size_max, sum.over_aligned);
    const auto& lived = sum.lived;
    fmt::format_to(out,
                   "lifetimes     {:.1f} % up to 16 operations, {:.1f} % to 256, {:.1f} % to 4096, "
                   "{:.1f} % to 65536, {:.1f} % longer, {:.1f} % to the end\n",
                   share(lived.to_16, blocks), share(lived.to_256, blocks),
                   share(lived.to_4096, blocks), share(lived.to_65536, blocks),
                   share(lived.longer, blocks), share(lived.never, blocks));
    fmt::format_to(out,
                   "reallocs      {} grow, {} shrink; {} bytes to copy; one block had {}, "
                   "one after the other\n",
                   sum.grown, sum.shrunk, sum.copied_bytes, sum.longest_growth);
    fmt::format_to(out,
                   "threads       {}; {} blocks ({:.1f} % of those that end) end on another "
                   "thread than their own\n",
                   sum.threads, sum.cross_thread,
                   share(sum.cross_thread, sum.releases + sum.resizes));
    if (sum.threads > 1) {
        std::vector<std::size_t> busiest(sum.by_thread.size());
        for (std::size_t i = 0; i != busiest.size(); ++i)
            busiest[i] = i;
        std::stable_sort(busiest.begin(), busiest.end(), [&](std::size_t a, std::size_t b) {
            return sum.by_thread[a] > sum.by_thread[b];
        });
        busiest.resize(std::min<std::size_t>(busiest.size(), 8));
        for (const std::size_t each : busiest)
            fmt::format_to(out, "  thread {:<5} {:10} operations\n", each, sum.by_thread[each]);
    }
    fmt::format_to(out, "\n  {:>14} {:>10} {:>7} {:>14} {:>16}\n", "size", "blocks", "share",
                   "bytes", "peak live bytes");
    for (std::size_t i = 0; i != sum.by_size.size(); ++i)
        if (const auto& each = sum.by_size[i]; each.blocks != 0)
            fmt::format_to(out, "  {:>14} {:10} {:5.1f} % {:14} {:16}\n",
                           fmt::format("to {}", std::uint64_t{1} << i), each.blocks,
                           share(each.blocks, blocks), each.bytes, each.peak_live_bytes);
    return text;
}

} // namespace palloc::bench
