// SPDX-License-Identifier: MIT
/// @file
/// @brief Files in memory and their views, held for a scope.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cerrno>
#include <cstdint>
#include <utility>

#include <sys/resource.h>

#include "os.hpp"

namespace palloc::inline v0::os {

/// @brief A descriptor that is closed at the end of a scope, unless it is released.
class scoped_file {
  public:
    explicit scoped_file(int file) noexcept : file_(file) {}
    ~scoped_file() {
        if (file_ >= 0)
            (void)close(file_); // of a file in memory: nothing can be lost
    }
    scoped_file(const scoped_file&) = delete;
    scoped_file& operator=(const scoped_file&) = delete;

    [[nodiscard]] int get() const noexcept { return file_; }
    int release() noexcept { return std::exchange(file_, -1); }

  private:
    int file_;
};

/// @brief A mapping that is unmapped at the end of a scope, unless it is released.
class scoped_view {
  public:
    explicit scoped_view(range where) noexcept : where_(where) {}
    ~scoped_view() {
        if (where_.bytes != 0)
            (void)unmap(where_);
    }
    scoped_view(const scoped_view&) = delete;
    scoped_view& operator=(const scoped_view&) = delete;

    [[nodiscard]] range get() const noexcept { return where_; }
    range release() noexcept { return std::exchange(where_, {}); }

  private:
    range where_;
};

/// @brief Gives a fresh file its size. Asks before the kernel would kill: EFBIG where RLIMIT_FSIZE
/// forbids it.
[[nodiscard]] inline result<void> set_size(int file, std::uint64_t bytes) noexcept {
    const auto largest = limit(RLIMIT_FSIZE);
    if (!largest)
        return tl::unexpected(largest.error());
    if (bytes > largest->rlim_cur)
        return fail(errc::os_failure, EFBIG);
    return truncate(file, bytes);
}

} // namespace palloc::inline v0::os
