// SPDX-License-Identifier: MIT
/// @file
/// @brief What a pool should answer, worked out granule by granule in wide arithmetic.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace palloc::test {

/// @brief Which of the free runs that will do is taken: the lowest, or the lowest of the shortest.
enum class fit : std::uint8_t { first, best };

/// @brief What a bitmap can tell of a wrong free.
struct tells {
    bool blocks;    ///< where blocks begin and end
    bool only_late; ///< that a granule is free already, but not before it has freed the others
};

/// @brief A pool of chunks that somebody else provides. Time: every granule, every call.
class naive_pool {
  public:
    naive_pool(std::uint64_t granule_bytes, fit chooses, tells told)
        : granule_(granule_bytes), chooses_(chooses), told_(told) {}

    struct chunk {
        range where;
        /// For each granule the number of its block, 0: free.
        std::vector<std::uint64_t> granules;
    };
    [[nodiscard]] const std::vector<chunk>& chunks() const { return chunks_; }

    [[nodiscard]] errc add(range where) {
        if (wide{where.base} + where.bytes > wide{1} << 64)
            return errc::bad_argument;
        if (where.bytes == 0)
            return errc::zero_size;
        for (const chunk& other : chunks_)
            if (where.base < wide{other.where.base} + other.where.bytes &&
                other.where.base < wide{where.base} + where.bytes)
                return errc::overlap;
        chunks_.push_back({where, std::vector<std::uint64_t>(where.bytes / granule_)});
        return errc{};
    }

    [[nodiscard]] result<address> allocate(std::uint64_t bytes, std::uint64_t alignment,
                                           range within) {
        if (bytes == 0)
            return fail(errc::zero_size);
        if (!is_power_of_two(alignment))
            return fail(errc::bad_alignment);
        const wide count = granules(bytes);
        for (std::size_t i = chunks_.size(); i-- != 0;)
            if (const auto place = search(chunks_[i], count, alignment, within)) {
                fill(chunks_[i], *place, static_cast<std::size_t>(count), ++last_block_);
                return chunks_[i].where.base + *place * granule_;
            }
        return fail(errc::out_of_memory);
    }

    [[nodiscard]] errc deallocate(address block, std::uint64_t bytes) {
        const auto run = whole(block, bytes);
        if (!run)
            return run.error().code;
        const auto begin = first_of(*run);
        const bool all_used =
            std::find(begin, begin + signed_count(*run), 0) == begin + signed_count(*run);
        if (all_used || told_.only_late)
            fill(*run->in, run->first, run->count, 0);
        return all_used ? errc{} : errc::double_free;
    }

    /// @brief Without a size; of bitmaps that know blocks.
    [[nodiscard]] errc deallocate(address block) {
        chunk* const in = chunk_of(block);
        if (in == nullptr)
            return errc::not_ours;
        const std::uint64_t offset = block - in->where.base;
        const std::size_t first = offset / granule_;
        if (offset % granule_ != 0 || first >= in->granules.size())
            return errc::not_a_block;
        const std::uint64_t owner = in->granules[first];
        if (owner == 0)
            return errc::double_free;
        if (first != 0 && in->granules[first - 1] == owner)
            return errc::not_a_block;
        fill(*in, first, length_at(*in, first), 0);
        return errc{};
    }

    [[nodiscard]] errc resize(address block, std::uint64_t bytes, std::uint64_t new_bytes) {
        if (chunk_of(block) == nullptr)
            return errc::not_ours;
        if (new_bytes == 0)
            return errc::zero_size;
        const auto run = whole(block, bytes);
        if (!run)
            return run.error().code;
        const wide count = granules(new_bytes);
        auto& all = run->in->granules;
        if (count > all.size() - run->first)
            return errc::no_room;
        for (std::size_t i = run->first + run->count; i < run->first + count; ++i)
            if (all[i] != 0)
                return errc::no_room;
        const std::uint64_t owner = all[run->first];
        fill(*run->in, run->first, run->count, 0);
        fill(*run->in, run->first, static_cast<std::size_t>(count), owner);
        return errc{};
    }

    void reset() {
        for (chunk& each : chunks_)
            std::fill(each.granules.begin(), each.granules.end(), 0);
    }

    /// @brief Whether the granules of a block are all in use.
    [[nodiscard]] bool is_live(address block, std::uint64_t bytes) {
        const auto run = whole(block, bytes);
        return run && std::find(first_of(*run), first_of(*run) + signed_count(*run), 0) ==
                          first_of(*run) + signed_count(*run);
    }
    [[nodiscard]] bool owns(address place) { return chunk_of(place) != nullptr; }
    [[nodiscard]] std::uint64_t used_bytes() const {
        std::uint64_t used = 0;
        for (const chunk& each : chunks_)
            used += each.granules.size() - static_cast<std::uint64_t>(std::count(
                                               each.granules.begin(), each.granules.end(), 0));
        return used * granule_;
    }
    [[nodiscard]] std::uint64_t largest_free_run_bytes() const {
        std::uint64_t longest = 0;
        for (const chunk& each : chunks_) {
            std::uint64_t here = 0;
            for (const std::uint64_t owner : each.granules)
                longest = std::max(longest, here = owner == 0 ? here + 1 : 0);
        }
        return longest * granule_;
    }

  private:
    __extension__ using wide = unsigned __int128;

    struct run_of {
        chunk* in;
        std::size_t first;
        std::size_t count;
    };

    [[nodiscard]] wide granules(std::uint64_t bytes) const {
        return (wide{bytes} + granule_ - 1) / granule_;
    }
    static std::vector<std::uint64_t>::iterator first_of(const run_of& run) {
        return run.in->granules.begin() + static_cast<std::ptrdiff_t>(run.first);
    }
    static std::ptrdiff_t signed_count(const run_of& run) {
        return static_cast<std::ptrdiff_t>(run.count);
    }
    static void fill(chunk& in, std::size_t first, std::size_t count, std::uint64_t owner) {
        std::fill_n(in.granules.begin() + static_cast<std::ptrdiff_t>(first), count, owner);
    }
    static std::size_t length_at(const chunk& in, std::size_t first) {
        std::size_t end = first;
        while (end != in.granules.size() && in.granules[end] == in.granules[first])
            ++end;
        return end - first;
    }

    [[nodiscard]] chunk* chunk_of(address place) {
        for (chunk& each : chunks_)
            if (place >= each.where.base && place - each.where.base < each.where.bytes)
                return &each;
        return nullptr;
    }

    /// The granules that the caller says are a block, or what is wrong with them.
    [[nodiscard]] result<run_of> whole(address block, std::uint64_t bytes) {
        chunk* const in = chunk_of(block);
        if (in == nullptr)
            return fail(errc::not_ours);
        if (bytes == 0)
            return fail(errc::zero_size);
        const std::uint64_t offset = block - in->where.base;
        const std::size_t first = offset / granule_;
        const wide count = granules(bytes);
        if (first >= in->granules.size() || count > in->granules.size() - first)
            return fail(errc::past_the_end);
        if (offset % granule_ != 0)
            return fail(errc::not_a_block);
        if (told_.blocks) {
            const std::uint64_t owner = in->granules[first];
            if (owner == 0)
                return fail(errc::double_free);
            if (first != 0 && in->granules[first - 1] == owner)
                return fail(errc::not_a_block);
            if (length_at(*in, first) != count)
                return fail(errc::wrong_size);
        }
        return run_of{in, first, static_cast<std::size_t>(count)};
    }

    [[nodiscard]] std::optional<std::size_t> search(const chunk& in, wide count,
                                                    std::uint64_t alignment, range within) const {
        const wide low = within.base;
        const wide high = within.bytes == ~std::uint64_t{0} ? wide{1} << 64 : low + within.bytes;
        const auto inside = [&](std::size_t granule) {
            const wide begin = in.where.base + wide{granule} * granule_;
            return begin >= low && begin + granule_ <= high;
        };
        std::optional<std::size_t> best;
        std::size_t shortest = ~std::size_t{0};
        for (std::size_t first = 0; first != in.granules.size();) {
            std::size_t end = first; // of the free run inside the range
            while (end != in.granules.size() && in.granules[end] == 0 && inside(end))
                ++end;
            for (std::size_t p = first; p + count <= end; ++p)
                if ((in.where.base + p * granule_) % alignment == 0) {
                    if (chooses_ == fit::first)
                        return p;
                    if (end - first < shortest) {
                        best = p;
                        shortest = end - first;
                    }
                    break;
                }
            first = end == first ? first + 1 : end;
        }
        return best;
    }

    std::uint64_t granule_;
    fit chooses_;
    tells told_;
    std::vector<chunk> chunks_;
    std::uint64_t last_block_ = 0;
};

} // namespace palloc::test
