// SPDX-License-Identifier: MIT
#include "inspection.hpp"

#include <algorithm>
#include <span>

#include "player.hpp"
#include "process_memory.hpp"

namespace palloc::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint64_t page_bytes = 4096;

/// Which pages ever held a byte of a block; a bit each, in pages that come when touched.
class page_set {
  public:
    page_set() : parts_(std::size_t{1} << (address_bits - part_bits)) {}

    void add(std::uintptr_t base, std::uint64_t bytes) {
        for (std::uintptr_t page = base / page_bytes; page <= (base + bytes - 1) / page_bytes;
             ++page) {
            std::uint32_t& part = parts_[page / part_pages];
            if (part == 0) {
                shadows_[used_] = mapped_array<bool>(part_pages);
                part = ++used_;
            }
            bool& here = shadows_[part - 1][page % part_pages];
            count_ += !here;
            here = true;
        }
    }

    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    template <class Visit>
    void for_each(Visit visit) const {
        for (std::size_t part = 0; part != parts_.size(); ++part)
            if (parts_[part] != 0)
                for (std::size_t i = 0; i != part_pages; ++i)
                    if (shadows_[parts_[part] - 1][i])
                        visit((part * part_pages + i) * page_bytes);
    }

  private:
    static constexpr unsigned address_bits = 47;
    static constexpr unsigned part_bits = 30;
    static constexpr std::size_t part_pages = std::size_t{1} << (part_bits - 12);
    static constexpr std::size_t most_parts = 1024; // a tebibyte, if it lies together

    mapped_array<std::uint32_t> parts_;
    std::array<mapped_array<bool>, most_parts> shadows_;
    std::uint32_t used_ = 0;
    std::size_t count_ = 0;
};

struct extent {
    std::uintptr_t base;
    std::uint64_t bytes;
};

/// Draws one map: goes through pages and blocks in order of address at once.
class cartographer {
  public:
    cartographer(pool_map& map, const page_set& pages) : map_(map) {
        const std::size_t count = pages.count();
        map_ = {};
        map_.range_bytes = count * page_bytes;
        constexpr std::uint64_t granule = 16;
        map_.cell_bytes = (map_.range_bytes + pool_map::most_cells - 1) / pool_map::most_cells;
        map_.cell_bytes = std::max((map_.cell_bytes + granule - 1) / granule * granule, granule);
        map_.cells =
            static_cast<std::size_t>((map_.range_bytes + map_.cell_bytes - 1) / map_.cell_bytes);
    }

    void draw(const page_set& pages, std::span<const extent> blocks) {
        auto block = blocks.begin();
        std::uintptr_t next_page = 0;
        std::uint64_t at = 0; // of the page, in the range
        pages.for_each([&](std::uintptr_t page) {
            if (page != next_page)
                end_gap(); // pages that lie apart are no free stretch together
            next_page = page + page_bytes;
            std::uintptr_t done = page;
            while (block != blocks.end() && block->base < next_page) {
                const std::uintptr_t end = block->base + block->bytes;
                if (block->base >= page) {
                    ++map_.cell_at[cell_of(at + block->base - page)].blocks;
                    ++map_.blocks;
                }
                const std::uintptr_t from = std::max(block->base, page);
                free_stretch(at + done - page, from > done ? from - done : 0);
                const std::uintptr_t to = std::min(end, next_page);
                live_stretch(at + from - page, to - from);
                done = to;
                if (end > next_page)
                    break;
                ++block;
            }
            free_stretch(at + done - page, next_page - done);
            at += page_bytes;
        });
        end_gap();
    }

  private:
    [[nodiscard]] std::size_t cell_of(std::uint64_t at) const {
        return static_cast<std::size_t>(at / map_.cell_bytes);
    }

    template <class Visit>
    void by_cell(std::uint64_t at, std::uint64_t bytes, Visit visit) {
        while (bytes != 0) {
            const std::uint64_t part = std::min(bytes, map_.cell_bytes - at % map_.cell_bytes);
            visit(cell_of(at), part);
            at += part;
            bytes -= part;
        }
    }

    void live_stretch(std::uint64_t at, std::uint64_t bytes) {
        if (bytes == 0)
            return;
        end_gap();
        map_.live_bytes += bytes;
        by_cell(at, bytes, [&](std::size_t cell, std::uint64_t part) {
            map_.cell_at[cell].live_bytes += part;
        });
    }

    void free_stretch(std::uint64_t at, std::uint64_t bytes) {
        gap_ += bytes;
        by_cell(at, bytes, [&](std::size_t cell, std::uint64_t part) {
            if (cell != gap_cell_)
                gap_in_cell_ = 0;
            gap_cell_ = cell;
            gap_in_cell_ += part;
            auto& largest = map_.cell_at[cell].largest_free_bytes;
            largest = std::max(largest, gap_in_cell_);
        });
    }

    void end_gap() {
        map_.largest_free_bytes = std::max(map_.largest_free_bytes, gap_);
        gap_ = 0;
        gap_in_cell_ = 0;
    }

    pool_map& map_;
    std::uint64_t gap_ = 0;
    std::uint64_t gap_in_cell_ = 0;
    std::size_t gap_cell_ = pool_map::most_cells;
};

class inspector {
  public:
    inspector(const trace& program, contender& made)
        : program_(program), made_(made), table_(program.slots, residence::at_once),
          at_(program.threads()), extents_(program.slots, residence::at_once),
          me_(made.resource(), table_.data()), before_(exact_resident_bytes()) {}

    void run(inspection& result, std::chrono::nanoseconds budget) {
        const clock::time_point deadline = clock::now() + budget;
        const std::size_t count = program_.operation_count();
        const std::size_t step = count / (inspection::most_samples - 1) + 1;
        std::size_t i = 0;
        for (; i != count; ++i) {
            play(i);
            if ((i + 1) % step == 0 || i + 1 == count) {
                look(result, i + 1);
                if (clock::now() > deadline)
                    break;
            }
        }
        result.complete = i == count;
        draw(result.end, std::min(i + 1, count));
        for (std::uint32_t slot = 0; slot != table_.size(); ++slot)
            me_.clear(slot);
    }

  private:
    void play(std::size_t i) {
        const std::size_t thread = program_.thread_of[i];
        const operation& op = program_.lanes[thread].operations[at_[thread]++];
        const live_block& block = table_[op.slot];
        if (op.kind != operation_kind::allocate && block.address != nullptr)
            live_bytes_ -= block.bytes;
        me_.play(op);
        if (op.kind != operation_kind::release && block.address != nullptr) {
            live_bytes_ += block.bytes;
            pages_.add(reinterpret_cast<std::uintptr_t>(block.address), block.bytes);
        }
    }

    void look(inspection& result, std::size_t operations) {
        memory_sample& now = result.sample[result.samples++];
        const std::uint64_t resident = exact_resident_bytes();
        now = {operations, live_bytes_, resident > before_ ? resident - before_ : 0,
               made_.fragmentation().value_or(memory_sample{}.fragmentation)};
        // The page set's own pages come with those of the blocks.
        constexpr std::uint64_t noise = 4 * page_bytes;
        if (now.held_bytes > most_held_ + noise || result.worst.cells == 0) {
            most_held_ = now.held_bytes;
            draw(result.worst, operations);
        }
    }

    void draw(pool_map& map, std::size_t operations) {
        std::size_t count = 0;
        for (const live_block& each : table_)
            if (each.address != nullptr)
                extents_[count++] = {reinterpret_cast<std::uintptr_t>(each.address), each.bytes};
        const std::span blocks(extents_.data(), count);
        std::sort(blocks.begin(), blocks.end(),
                  [](const extent& a, const extent& b) { return a.base < b.base; });
        cartographer(map, pages_).draw(pages_, blocks);
        map.operation = operations;
    }

    const trace& program_;
    contender& made_;
    mapped_array<live_block> table_;
    mapped_array<std::size_t> at_; // of each thread, in its lane
    mapped_array<extent> extents_;
    player me_;
    page_set pages_;
    std::uint64_t before_;
    std::uint64_t live_bytes_ = 0;
    std::uint64_t most_held_ = 0;
};

} // namespace

inspection inspect(const trace& program, contender& made, std::chrono::nanoseconds budget) {
    inspection result;
    inspector(program, made).run(result, budget);
    return result;
}

} // namespace palloc::bench
