// SPDX-License-Identifier: MIT
/// @file
/// @brief Mapping ranges that files show of physical memory, and what sysfs tells of UIO devices.
#pragma once

#include <palloc/core/device_range.hpp>
#include <palloc/core/error.hpp>

namespace palloc::inline v0::detail {

/// @brief Maps a range, readable and writable, shared with whoever maps it. Children of fork have
/// it, too.
/// @par Errors  `zero_size`; `too_large`; `past_the_end` of an ordinary file; `not_supported`: no
/// MAP_SYNC, where it is needed; `os_failure`. Nothing stays open or mapped.
[[nodiscard]] result<device_view> map_device(const device_range& wanted) noexcept;

/// @par Errors  `os_failure`; the view is as it was
[[nodiscard]] result<void> unmap_device(const device_view& view) noexcept;

/// @brief What `<folder>/maps/map<number>` says, `folder` being like /sys/class/uio/uio0.
/// @param path  of the device's file
/// @par Errors  `bad_argument`: what is there is no number, or the offset is beyond the size;
/// `too_large` for a path of more than 255 characters; `os_failure`: ENOENT where there is no such
/// map …
[[nodiscard]] result<device_range> read_uio_map(const char* folder, unsigned number,
                                                const char* path) noexcept;

} // namespace palloc::inline v0::detail
