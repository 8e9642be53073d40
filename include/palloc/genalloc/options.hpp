// SPDX-License-Identifier: MIT
/// @file
/// @brief What a genalloc pool is told, and what it answers.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pool_options.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace palloc::inline v0 {

/// @brief Whether the kernel's defects are kept; docs/genalloc.md lists them.
enum class quirks : std::uint8_t {
    repaired, ///< what can only do harm is refused
    kernel,   ///< every answer is the kernel's, wrong ones included
};

/// @brief The run-time facts of a genalloc pool; all have defaults.
struct genalloc_options {
    unsigned order = 0;         ///< a granule has 2^order bytes; below 64
    numa_node node = any_node;  ///< of the books, unless `metadata` says where they are
    std::string_view name = {}; ///< not copied
    quirks behaviour = quirks::repaired;
    misuse_policy on_misuse = {};              ///< where the kernel stops with BUG
    std::optional<metadata_ref> metadata = {}; ///< none: the standard provider of the node
    std::optional<metadata_ref> maps = {};     ///< where bitmaps live, if elsewhere

    /// @brief Where the books come from.
    [[nodiscard]] metadata_ref books() const noexcept {
        return metadata ? *metadata : standard_metadata(node);
    }

    /// @brief The same, as the pool beneath understands it.
    [[nodiscard]] pool_options for_pool() const noexcept {
        return {.name = name,
                .takes_any_chunk = behaviour == quirks::kernel,
                .node = node,
                .on_misuse = on_misuse,
                .metadata = books(),
                .maps = maps};
    }
};

/// @brief A block as the processor and as the device see it.
struct dma_block {
    address where;
    address physical;

    friend constexpr bool operator==(dma_block, dma_block) = default;
};

/// @brief What a device can reach. Speaks of physical addresses.
struct dma_limits {
    address mask = ~address{0}; ///< the highest address it can put out
    std::uint64_t boundary = 0; ///< a power of two whose multiples no block may cross; 0: none
};

} // namespace palloc::inline v0
