// SPDX-License-Identifier: MIT
/// @file
/// @brief Compositions that serve well as they are.
#pragma once

#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/magazine.hpp>
#include <palloc/compositions/magazine_rack.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/compositions/size_classes.hpp>
#include <palloc/compositions/thread_cache.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/pool_options.hpp>
#include <palloc/protections/unprotected.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {
namespace detail {

/// Granules of 256 bytes waste less of a large block than pages would, and cost 0.2 % of the
/// memory.
using general_parent =
    pool<static_granule<256>, native_memory, boundary<indexed>, best_fit, unprotected>;

[[nodiscard]] inline pool_options growing(pool_options options, growth_policy by) noexcept {
    if (options.growth.step_bytes == 0)
        options.growth = by;
    return options;
}

/// Address space is taken in large pieces; only pages that are touched are paid for.
[[nodiscard]] inline pool_options general_options(const pool_options& options) noexcept {
    return growing(options, growth_policy::refill(sparse_step_bytes));
}
[[nodiscard]] inline native_memory general_backing() noexcept {
    return sparse_native_memory();
}

} // namespace detail

/// @brief Blocks of any size for one thread.
///
/// Up to 768 bytes from size classes, more from a pool with granules of 256 bytes, best fit; up to
/// 4 KiB a magazine for every size class in front. Grows as needed, by 64 MiB of address space at a
/// time (Windows: 4); memory once touched stays for reuse.
class general_purpose : public magazine_rack<size_classes<detail::general_parent>> {
  public:
    /// @param options  where they say nothing of growth, it grows.
    explicit general_purpose(const pool_options& options = {})
        : magazine_rack(detail::general_options(options), static_granule<256>(),
                        detail::general_backing()) {}
};

/// @brief The same for any number of threads, each with magazines of its own.
class general_purpose_shared : public thread_cache<locked<size_classes<detail::general_parent>>> {
  public:
    /// @param options  where they say nothing of growth, it grows.
    explicit general_purpose_shared(const pool_options& options = {})
        : thread_cache(detail::general_options(options), static_granule<256>(),
                       detail::general_backing()) {}
};

/// @brief Blocks of one size, for one thread. Grows as needed, and keeps what it has.
template <std::size_t Bytes>
class fixed_size
    : public magazine<pool<static_granule<Bytes>, native_memory, flat, first_fit, unprotected>> {
  public:
    /// @brief What every block is aligned to.
    static constexpr std::uint64_t block_alignment =
        std::min<std::uint64_t>(Bytes & (0 - Bytes), 4096);

    /// @param options  where they say nothing of growth, it grows.
    explicit fixed_size(const pool_options& options = {})
        : fixed_size::magazine(
              layout{Bytes, block_alignment},
              detail::growing(options, growth_policy::geometric(std::uint64_t{64} << 10,
                                                                std::uint64_t{1} << 20))) {}
};

} // namespace palloc::inline v0
