// SPDX-License-Identifier: MIT
/// @file
/// @brief A bitmap beside the obvious one: every change is made to both, every answer compared.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/placement.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <ostream>
#include <vector>

#include "model_bitmap.hpp"
#include "random.hpp"
#include "scene.hpp"

namespace palloc {

inline std::ostream& operator<<(std::ostream& out, granule_run run) {
    return out << run.count << " granules from " << run.first;
}

} // namespace palloc

namespace palloc::test {

/// @brief Storage as a pool lends it: zeroed and aligned, in whole cache lines.
class lent_storage {
  public:
    explicit lent_storage(std::size_t bytes)
        : lines_((bytes + storage_alignment - 1) / storage_alignment) {}

    [[nodiscard]] std::byte* data() noexcept { return lines_.front().bytes; }

  private:
    struct alignas(storage_alignment) line {
        std::byte bytes[storage_alignment]{};
    };
    std::vector<line> lines_;
};

/// @brief A bitmap on storage of its own, the obvious one, and what is claimed in both.
template <chunk_bitmap Bitmap>
class bitmap_pair {
    std::size_t bytes_;
    lent_storage storage_;
    std::vector<std::byte> model_storage_;
    std::vector<granule_run> blocks_;

  public:
    explicit bitmap_pair(std::size_t granules)
        : bytes_(Bitmap::storage_bytes(granules)), storage_(bytes_ + storage_alignment),
          model_storage_(granules), map(storage_.data(), granules),
          model(model_storage_.data(), granules) {}
    bitmap_pair(const bitmap_pair&) = delete;
    bitmap_pair& operator=(const bitmap_pair&) = delete;

    Bitmap map;
    model_bitmap model;

    /// @brief What was claimed and is not released.
    [[nodiscard]] const std::vector<granule_run>& blocks() const { return blocks_; }
    [[nodiscard]] const std::byte* storage() { return storage_.data(); }
    /// @brief Another view of the same storage.
    [[nodiscard]] Bitmap view() { return Bitmap(storage_.data(), model.size()); }
    [[nodiscard]] std::size_t storage_bytes() const { return bytes_; }

    /// @brief Must succeed exactly where the model says so.
    void claim(granule_run run) {
        const bool expected = model.claim(run);
        BOOST_TEST(map.claim(run) == expected, run);
        if (expected)
            blocks_.push_back(run);
    }
    void claim_at(std::optional<std::size_t> position, std::size_t count) {
        if (position)
            claim({*position, count});
    }

    /// @brief Gives a run back, which must be a whole block where the bitmap knows them.
    void release(granule_run run) {
        const std::size_t free_already = model.release(run);
        BOOST_TEST(map.release(run) == free_already, run);
        if (free_already != 0 && concurrent_bitmap<Bitmap> && !bitmap_knows_blocks<Bitmap>)
            for (std::size_t i = run.first; i != run.last(); ++i) // it can only tell afterwards
                model.release({i, 1});
    }

    /// @brief Gives some block back; where that is legal, now and then in two pieces.
    void release_some(random_source& random) {
        if (blocks_.empty())
            return;
        std::swap(blocks_[random.below(blocks_.size())], blocks_.back());
        const granule_run block = blocks_.back();
        blocks_.pop_back();
        const std::size_t cut =
            bitmap_knows_blocks<Bitmap> || random.chance(70) ? 0 : random.below(block.count);
        if (cut != 0)
            release({block.first + cut, block.count - cut});
        release({block.first, cut == 0 ? block.count : cut});
    }

    /// @brief Must claim where a search of the model finds.
    void claim_lowest(const placement& q)
        requires bitmap_claims_lowest<Bitmap>
    {
        const place expected{model.find_fit(q)};
        const place got{map.claim_lowest(q)};
        BOOST_TEST(got == expected, got << " instead of " << expected << ": " << q);
        if (expected.at) {
            blocks_.push_back({*expected.at, q.count});
            model.claim(blocks_.back());
        }
    }

    /// @brief Gives a block back by its place alone.
    void release_block(granule_run block)
        requires bitmap_knows_blocks<Bitmap>
    {
        BOOST_TEST(map.release_block(block.first) == block.count, block);
        model.release(block);
        std::erase(blocks_, block);
    }

    /// @brief Moves the end of a block, which is the last of `blocks()` from then on.
    void resize(granule_run block, std::size_t granules)
        requires bitmap_knows_blocks<Bitmap>
    {
        const granule_run more{block.last(), granules > block.count ? granules - block.count : 0};
        const bool expected = more.count == 0 || model.claim(more);
        BOOST_TEST(map.resize(block, granules) == expected, block << " to " << granules);
        std::erase(blocks_, block);
        if (granules < block.count)
            model.release({block.first + granules, block.count - granules});
        blocks_.push_back({block.first, expected ? granules : block.count});
    }

    void reset() {
        map.reset();
        model.reset();
        blocks_.clear();
    }

    /// @brief All that can be asked without a request.
    void compare() const { compare(map); }
    void compare(const Bitmap& other) const {
        BOOST_TEST(other.size() == model.size());
        BOOST_TEST(other.free_count() == model.free_count());
        for (std::size_t i = 0; i != model.size(); ++i)
            if (other.test(i) != model.test(i))
                BOOST_ERROR("granule " << i << " should be " << (model.test(i) ? "used" : "free"));
        granule_run expected{model.size(), 0}; // of the granule behind the one looked at
        for (std::size_t i = model.size() + 1; i-- != 0;) {
            if (i != model.size() && !model.test(i))
                expected = {i, expected.first == i + 1 ? expected.count + 1 : 1};
            const granule_run got = other.next_free_run(i);
            if (expected.count == 0 ? got.count != 0 : got != expected)
                BOOST_ERROR("from " << i << ": " << got << " instead of " << expected);
        }
    }

    /// @brief One search, whatever it may be for.
    void compare_search(const placement& q) const {
        const place expected{model.find_fit(q)};
        BOOST_TEST(place{map.find_fit(q)} == expected,
                   place{map.find_fit(q)} << " instead of " << expected << ": " << q);
    }

    /// @brief Claims and releases, at random places and where there is room.
    void shuffle(random_source& random) {
        const placement q = random_request(random, model.size());
        const std::size_t first = random.below(model.size());
        if (random.chance(45))
            release_some(random);
        else if (random.chance(50))
            claim_at(model.find_fit(q), q.count);
        else
            claim({first, std::min(random.between(1, 130), model.size() - first)});
    }

    /// @brief Whether nothing was written behind the storage.
    [[nodiscard]] bool stayed_inside() {
        return std::all_of(storage_.data() + bytes_, storage_.data() + bytes_ + storage_alignment,
                           [](std::byte b) { return b == std::byte{0}; });
    }
};

} // namespace palloc::test
