// SPDX-License-Identifier: MIT
/// @file
/// @brief A range of physical memory as a file shows it: a device's, the machine's, persistent
/// memory.
#pragma once

#include <palloc/core/range.hpp>
#include <palloc/core/version.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief What kind of file it is; decides how it is opened and mapped.
enum class device_kind : std::uint8_t {
    file,   ///< an ordinary one: MAP_SHARED
    dax,    ///< of persistent memory: MAP_SYNC where the file system can, so that what has left the
            ///< processor's caches survives a loss of power without a call to the system
    memory, ///< like /dev/mem: O_SYNC, so that the kernel maps what is no ordinary memory uncached
    uio,    ///< like /dev/uio0: the offset is the map's number in pages, and no place in the file
};

/// @brief Where to find a range.
struct device_range {
    static constexpr address no_physical = ~address{0};

    const char* path;         ///< of the file; is only read while it is mapped
    std::uint64_t offset = 0; ///< of the first byte in the file; any
    std::uint64_t bytes = 0;
    address physical = no_physical; ///< of the first byte
    device_kind kind = device_kind::file;
    std::uint64_t skipped = 0;      ///< bytes before the first that are mapped with it, for `uio`
    bool needs_persistence = false; ///< of `dax`: rather an error than a mapping without MAP_SYNC
};

/// @brief A range that is mapped.
struct device_view {
    range where;             ///< of the bytes asked for
    range pages;             ///< that are mapped
    bool persistent = false; ///< MAP_SYNC holds
};

} // namespace palloc::inline v0
