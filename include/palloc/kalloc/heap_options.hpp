// SPDX-License-Identifier: MIT
/// @file
/// @brief What a heap of kmalloc or vmalloc is told at run time.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/pool_options.hpp>

#include <cstdint>
#include <string_view>

namespace palloc::inline v0 {

/// @brief A request that failed.
struct failed_request {
    error why;
    layout wanted;
    alloc_flags flags;
};

/// @brief Who is told of failed requests without `flags::no_warn`; nobody by default.
struct failure_policy {
    void (*handler)(void* context, const failed_request&) noexcept = nullptr;
    void* context = nullptr;
};

/// @brief All have defaults. Caps hold for each compartment of a heap.
struct heap_options {
    std::string_view name = {};                          ///< not copied
    std::uint64_t step_bytes = std::uint64_t{64} << 20;  ///< of address space, at a time
    std::uint64_t cap_bytes = ~std::uint64_t{0};         ///< of what is mapped
    std::uint64_t account_cap_bytes = ~std::uint64_t{0}; ///< of what is mapped and charged
    std::uint64_t reserve_bytes = 0;                     ///< for `flags::may_reserve` alone
    failure_policy on_failure = {};
    misuse_policy on_misuse = {};
    metadata_ref metadata = standard_metadata();
};

} // namespace palloc::inline v0
