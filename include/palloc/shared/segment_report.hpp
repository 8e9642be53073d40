// SPDX-License-Identifier: MIT
/// @file
/// @brief How a segment is made, and what is found in a file that should be one.
#pragma once

#include <palloc/core/version.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace palloc::inline v0 {

/// @brief How a segment is made.
struct segment_shape {
    std::uint64_t bytes = 0; ///< of data, rounded up to whole granules
    std::uint32_t granule_bytes = 64;
    /// Takes memory for all of it at once. Without, a file system that runs full kills whoever
    /// touches a fresh page (SIGBUS).
    bool reserves_memory = true;
};

/// @brief What is found in a file that should be a segment, and by how much it is not one.
struct segment_report {
    enum class verdict : std::uint8_t {
        good,
        not_ready,     ///< whoever was to make it has not, or died in it; `open_or_create` repairs
        foreign,       ///< `found` is not the mark that segments begin with
        other_version, ///< of the layout
        damaged,       ///< the header contradicts itself: `found` is its checksum
        truncated,     ///< the file has `found` bytes of `expected`
        other_granule, ///< granules of `found` bytes where `expected` were asked for
    };
    verdict what = verdict::good;
    std::uint64_t found = 0;
    std::uint64_t expected = 0;
};

[[nodiscard]] constexpr std::string_view to_string(segment_report::verdict what) noexcept {
    constexpr std::string_view names[] = {"good",    "not_ready", "foreign",      "other_version",
                                          "damaged", "truncated", "other_granule"};
    return names[static_cast<std::size_t>(what)];
}

} // namespace palloc::inline v0
