// SPDX-License-Identifier: MIT
/// @file
/// @brief A chunk that nothing has been taken from, without a bit of memory.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/placement.hpp>

#include <cstddef>
#include <optional>

namespace palloc::inline v0::detail {

/// @brief A bitmap in which every granule is free, to ask an algorithm where it would place in a
/// chunk that there is not yet. It takes no claims.
class vacant_map {
  public:
    explicit vacant_map(std::size_t granules) noexcept : granules_(granules) {}
    vacant_map(std::byte*, std::size_t granules) noexcept : granules_(granules) {}

    [[nodiscard]] static std::size_t storage_bytes(std::size_t) noexcept { return 0; }
    [[nodiscard]] std::size_t size() const noexcept { return granules_; }
    [[nodiscard]] std::size_t free_count() const noexcept { return granules_; }
    [[nodiscard]] bool test(std::size_t) const noexcept { return false; }
    [[nodiscard]] std::optional<std::size_t> find_fit(const placement& q) const noexcept {
        const std::size_t position = q.align_up(q.from);
        return q.legal(position) ? std::optional(position) : std::nullopt;
    }
    [[nodiscard]] granule_run next_free_run(std::size_t from) const noexcept {
        return from < granules_ ? granule_run{from, granules_ - from} : granule_run{granules_, 0};
    }
    [[nodiscard]] bool claim(granule_run) noexcept { return false; }
    [[nodiscard]] std::size_t release(granule_run run) noexcept { return run.count; }
    void reset() noexcept {}

  private:
    std::size_t granules_;
};

static_assert(chunk_bitmap<vacant_map>);

} // namespace palloc::inline v0::detail
