// SPDX-License-Identifier: MIT
/// @file
/// @brief The obvious bitmap: a byte a granule, every question answered by looking at all of them.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/placement.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

namespace palloc::test {

/// @brief What the other bitmaps are compared with, and what algorithms are tested on.
class model_bitmap {
  public:
    model_bitmap(std::byte* storage, std::size_t granules) noexcept : busy_(storage, granules) {}

    [[nodiscard]] static std::size_t storage_bytes(std::size_t granules) noexcept {
        return granules;
    }
    [[nodiscard]] std::size_t size() const noexcept { return busy_.size(); }
    [[nodiscard]] std::size_t free_count() const noexcept {
        return static_cast<std::size_t>(std::ranges::count(busy_, std::byte{0}));
    }
    [[nodiscard]] bool test(std::size_t granule) const noexcept {
        return busy_[granule] != std::byte{0};
    }
    [[nodiscard]] bool is_free(granule_run run) const noexcept {
        return std::ranges::count(of(run), std::byte{0}) == static_cast<std::ptrdiff_t>(run.count);
    }

    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        for (std::size_t position = 0; position < size(); ++position)
            if (q.legal(position) && is_free({position, q.count}))
                return position;
        return std::nullopt;
    }
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        while (from < size() && test(from))
            ++from;
        granule_run run{from, 0};
        while (run.last() < size() && !test(run.last()))
            ++run.count;
        return run;
    }

    bool claim(granule_run run) noexcept {
        if (!is_free(run))
            return false;
        std::ranges::fill(of(run), std::byte{1});
        return true;
    }
    std::size_t release(granule_run run) noexcept {
        const auto free_already =
            static_cast<std::size_t>(std::ranges::count(of(run), std::byte{0}));
        if (free_already == 0)
            std::ranges::fill(of(run), std::byte{0});
        return free_already;
    }
    void reset() noexcept { std::ranges::fill(busy_, std::byte{0}); }

  private:
    [[nodiscard]] std::span<std::byte> of(granule_run run) const noexcept {
        return busy_.subspan(run.first, run.count);
    }

    std::span<std::byte> busy_;
};

static_assert(chunk_bitmap<model_bitmap>);

} // namespace palloc::test
