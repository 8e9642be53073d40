// SPDX-License-Identifier: MIT
/// @file
/// @brief Physical memory that a file shows, mapped for as long as an object lives, and lent to
/// pools with its physical address.
///
/// When to choose it: a device's memory through UIO, the machine's through /dev/mem, persistent
/// memory through DAX, or an ordinary file. Costs: three system calls. What is mapped uncached is
/// only for loads and stores of the processor's own widths, and not for memset.
#pragma once

#include <palloc/backings/detail/device_file.hpp>
#include <palloc/core/device_range.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <utility>

namespace palloc::inline v0 {

/// @brief A mapped range. It outlives the pools that it is lent to.
class device_memory {
  public:
    /// @brief Maps a range that the caller knows.
    /// @par Errors  `zero_size`; `too_large`; `past_the_end` of an ordinary file; `not_supported`:
    /// no MAP_SYNC, where it is needed; `os_failure`
    [[nodiscard]] static result<device_memory> map(const device_range& wanted) noexcept {
        return detail::map_device(wanted).map(
            [&](const device_view& view) noexcept { return device_memory(view, wanted.physical); });
    }

    /// @brief Maps a map of a UIO device, with the physical address that the kernel tells.
    /// @param folder  like /sys/class/uio/uio0
    /// @param path    of the device's file, like /dev/uio0
    /// @par Errors  also `bad_argument`: what is in the folder is no description of a map
    [[nodiscard]] static result<device_memory> map_uio(const char* folder, unsigned number,
                                                       const char* path) noexcept {
        return detail::read_uio_map(folder, number, path).and_then(map);
    }

    device_memory(device_memory&& other) noexcept
        : view_(std::exchange(other.view_, {})), physical_(other.physical_) {}
    device_memory& operator=(device_memory&& other) noexcept {
        std::swap(view_, other.view_);
        std::swap(physical_, other.physical_);
        return *this;
    }
    ~device_memory() {
        if (view_.pages.bytes != 0)
            (void)detail::unmap_device(view_);
    }

    [[nodiscard]] range where() const noexcept { return view_.where; }
    /// @brief Of the first byte, or `device_range::no_physical`.
    [[nodiscard]] address physical() const noexcept { return physical_; }
    /// @brief What has left the caches survives a loss of power, as `device_kind::dax` has it.
    [[nodiscard]] bool persistent() const noexcept { return view_.persistent; }

    /// @brief Lends all of it to a genalloc pool, as its newest chunk.
    /// @par Errors  those of `add_owner`
    template <class Genalloc>
    result<void> lend_to(Genalloc& pool, void* owner = nullptr) const noexcept {
        static_assert(Genalloc::no_physical == device_range::no_physical);
        return pool.add_owner(view_.where.base, physical_, view_.where.bytes, owner);
    }

  private:
    device_memory(const device_view& view, address physical) noexcept
        : view_(view), physical_(physical) {}

    device_view view_;
    address physical_;
};

} // namespace palloc::inline v0
