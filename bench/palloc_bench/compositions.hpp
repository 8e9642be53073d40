// SPDX-License-Identifier: MIT
/// @file
/// @brief Everything that palloc-bench compares: one line each.
#pragma once

#include <palloc/palloc.hpp>

#include <array>
#include <memory_resource>
#include <span>

#include "composition.hpp"
#include "own_compositions.hpp"

namespace palloc::bench {

// Macros, so that the C++ that is shown is the C++ that was measured.
#define PALLOC_BENCH_POOL(name, ...)                                                               \
    composition {                                                                                  \
        name, #__VA_ARGS__, make_contender<pool_contender<__VA_ARGS__>>, standing::pool,           \
            concurrent_allocator<__VA_ARGS__>                                                      \
    }
#define PALLOC_BENCH_PRESET(name)                                                                  \
    composition {                                                                                  \
        #name, #name, make_contender<pool_contender<name, as_it_comes>>, standing::preset,         \
            concurrent_allocator<name>                                                             \
    }
#define PALLOC_BENCH_BASELINE(resource, shared)                                                    \
    composition {                                                                                  \
        #resource, #resource, make_contender<resource_contender<resource>>, standing::baseline,    \
            shared                                                                                 \
    }

[[nodiscard]] inline std::span<const composition> compositions() {
    // clang-format off
    static constexpr std::array all{
        PALLOC_BENCH_BASELINE(std::pmr::unsynchronized_pool_resource, false),
        PALLOC_BENCH_BASELINE(std::pmr::synchronized_pool_resource, true),
        PALLOC_BENCH_BASELINE(std::pmr::monotonic_buffer_resource, false),
        composition{"std::pmr::new_delete_resource", "std::pmr::new_delete_resource()", make_contender<new_delete_contender>, standing::baseline, true},

        // palloc's pools: one line adds a composition.
        PALLOC_BENCH_POOL("first_fit-flat-mmap", pool<static_granule<16>, mmap_backing, flat, first_fit, unprotected>),
        PALLOC_BENCH_POOL("first_fit-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, first_fit, unprotected>),
        PALLOC_BENCH_POOL("best_fit-flat-mmap", pool<static_granule<16>, mmap_backing, flat, best_fit, unprotected>),
        PALLOC_BENCH_POOL("best_fit-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, best_fit, unprotected>),
        PALLOC_BENCH_POOL("worst_fit-flat-mmap", pool<static_granule<16>, mmap_backing, flat, worst_fit, unprotected>),
        PALLOC_BENCH_POOL("worst_fit-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, worst_fit, unprotected>),
        PALLOC_BENCH_POOL("next_fit-flat-mmap", pool<static_granule<16>, mmap_backing, flat, next_fit, unprotected>),
        PALLOC_BENCH_POOL("next_fit-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, next_fit, unprotected>),
        PALLOC_BENCH_POOL("random_fit-flat-mmap", pool<static_granule<16>, mmap_backing, flat, random_fit, unprotected>),
        PALLOC_BENCH_POOL("random_fit-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, random_fit, unprotected>),
        PALLOC_BENCH_POOL("first_fit_order_align-flat-mmap", pool<static_granule<16>, mmap_backing, flat, first_fit_order_align, unprotected>),
        PALLOC_BENCH_POOL("first_fit_order_align-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, first_fit_order_align, unprotected>),
        PALLOC_BENCH_POOL("first_fit-boundary_indexed-mmap", pool<static_granule<16>, mmap_backing, boundary<indexed>, first_fit, unprotected>),
        PALLOC_BENCH_POOL("best_fit-boundary_indexed-mmap", pool<static_granule<16>, mmap_backing, boundary<indexed>, best_fit, unprotected>),
        PALLOC_BENCH_POOL("next_fit-boundary_indexed-mmap", pool<static_granule<16>, mmap_backing, boundary<indexed>, next_fit, unprotected>),
        PALLOC_BENCH_POOL("first_fit-boundary_flat-mmap", pool<static_granule<16>, mmap_backing, boundary<flat>, first_fit, unprotected>),
        PALLOC_BENCH_POOL("first_fit-atomic-mmap", pool<static_granule<16>, mmap_backing, atomic, first_fit, unprotected>),
        PALLOC_BENCH_POOL("best_fit-atomic-mmap", pool<static_granule<16>, mmap_backing, atomic, best_fit, unprotected>),
        PALLOC_BENCH_POOL("spread-atomic-mmap", pool<static_granule<16>, mmap_backing, atomic, spread, unprotected>),
        PALLOC_BENCH_POOL("first_fit-boundary_atomic-mmap", pool<static_granule<16>, mmap_backing, boundary<atomic>, first_fit, unprotected>),
        PALLOC_BENCH_POOL("spread-boundary_atomic-mmap", pool<static_granule<16>, mmap_backing, boundary<atomic>, spread, unprotected>),
        PALLOC_BENCH_POOL("buddy-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, buddy, unprotected>),
        PALLOC_BENCH_POOL("any_algorithm-indexed-mmap", pool<static_granule<16>, mmap_backing, indexed, any_algorithm<indexed>, unprotected>),
        PALLOC_BENCH_POOL("first_fit-indexed-mmap-granule_64", pool<static_granule<64>, mmap_backing, indexed, first_fit, unprotected>),
        PALLOC_BENCH_POOL("best_fit-indexed-mmap-granule_64", pool<static_granule<64>, mmap_backing, indexed, best_fit, unprotected>),
        PALLOC_BENCH_POOL("first_fit-indexed-mmap-statistics", pool<static_granule<16>, mmap_backing, indexed, first_fit, unprotected, statistics>),
        PALLOC_BENCH_POOL("first_fit-indexed-hugepage", pool<static_granule<16>, hugepage, indexed, first_fit, unprotected>),
        PALLOC_BENCH_POOL("first_fit-indexed-memfd", pool<static_granule<16>, memfd, indexed, first_fit, unprotected>),

        // Pools made of pools.
        PALLOC_BENCH_POOL("locked-first_fit-indexed-mmap", locked<pool<static_granule<16>, mmap_backing, indexed, first_fit, unprotected>>),
        PALLOC_BENCH_POOL("size_classes-best_fit-indexed-mmap", size_classes<pool<static_granule<256>, mmap_backing, indexed, best_fit, unprotected>>),
        PALLOC_BENCH_POOL("size_classes-best_fit-indexed-reserve", size_classes<pool<static_granule<4096>, reserve, indexed, best_fit, unprotected>>),
        PALLOC_BENCH_PRESET(general_purpose),
        PALLOC_BENCH_PRESET(general_purpose_shared),

        PALLOC_BENCH_OWN_COMPOSITIONS
    };
    // clang-format on
    return all;
}

#undef PALLOC_BENCH_POOL
#undef PALLOC_BENCH_PRESET
#undef PALLOC_BENCH_BASELINE

} // namespace palloc::bench
