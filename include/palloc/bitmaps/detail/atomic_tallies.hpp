// SPDX-License-Identifier: MIT
/// @file
/// @brief How many granules are in use, and how often some were given back: counted in several
/// places, so that threads far from one another do not write the same cache line.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace palloc::inline v0::detail {

/// @brief One of the places, on a line of its own.
template <template <class> class Atomic>
struct alignas(storage_alignment) atomic_tally {
    Atomic<std::int64_t> used;
    Atomic<std::uint64_t> changes; ///< give-backs done, and in the low bits changes half-done
};

/// @tparam Atomic  `std::atomic`; a test's own can come between any two accesses.
template <template <class> class Atomic>
class atomic_tallies {
  public:
    using tally = atomic_tally<Atomic>;

    static constexpr std::uint64_t half_done = 1;
    static constexpr std::uint64_t give_back = 1 << 16;

    /// @brief Places for a chunk of so many leaves.
    [[nodiscard]] static constexpr std::size_t count(std::size_t leaves) noexcept {
        return std::bit_ceil(std::min<std::size_t>(leaves, 16));
    }

    atomic_tallies(std::byte* storage, std::size_t leaves) noexcept
        : first_(reinterpret_cast<tally*>(storage)), count_(count(leaves)) {}

    /// @brief Where changes near `leaf` are counted. Neighbours, and leaves that divide a chunk
    /// evenly, have different places.
    [[nodiscard]] tally& of(std::size_t leaf) const noexcept {
        return first_[leaf * 0x9e3779b97f4a7c15 >> 60 & (count_ - 1)];
    }

    [[nodiscard]] std::int64_t used() const noexcept {
        std::int64_t sum = 0;
        for (const tally* each = first_; each != first_ + count_; ++each)
            sum += each->used.load();
        return sum;
    }

    [[nodiscard]] std::optional<std::uint64_t> settled() const noexcept {
        std::uint64_t sum = 0;
        for (const tally* each = first_; each != first_ + count_; ++each) {
            const std::uint64_t changes = each->changes.load();
            if (changes % give_back != 0)
                return std::nullopt;
            sum += changes / give_back;
        }
        return sum;
    }

    /// @brief Nothing is in use. Alone.
    void reset() const noexcept {
        for (tally* each = first_; each != first_ + count_; ++each) {
            each->used.store(0);
            each->changes.store(0);
        }
    }

  private:
    tally* first_;
    std::size_t count_;
};

} // namespace palloc::inline v0::detail
