// SPDX-License-Identifier: MIT
/// @file
/// @brief A file in memory that processes share: named or passed on, mapped, and with locks on its
/// bytes that the kernel takes back from whoever dies.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Whether a file of that name should be there.
enum class existence : std::uint8_t { must, must_not, may };

/// @brief The number of this process, for people to read: another namespace may have another.
[[nodiscard]] std::uint32_t process_number() noexcept;

/// @brief A descriptor with an open file description of its own, so that its locks are nobody
/// else's.
/// @par Thread safety  any thread
class shared_file {
  public:
    /// @brief shm_open: `name` begins with a slash, and has no other.
    /// @par Errors  `os_failure`: ENOENT, EEXIST, EINVAL for a name that cannot be one …
    [[nodiscard]] static result<shared_file> named(const char* name, existence wanted) noexcept;
    /// @brief A file without a name; `label` is shown in /proc/PID/maps. Nobody can shorten it once
    /// `fix_size` has been called.
    [[nodiscard]] static result<shared_file> nameless(const char* label) noexcept;
    /// @brief The file behind a descriptor that stays the caller's, opened again.
    [[nodiscard]] static result<shared_file> reopened(int file) noexcept;
    /// @brief Takes the name away; whoever has the file keeps it.
    [[nodiscard]] static result<void> unlink(const char* name) noexcept;

    shared_file(shared_file&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
    shared_file& operator=(shared_file&& other) noexcept {
        std::swap(file_, other.file_);
        return *this;
    }
    ~shared_file();

    /// @brief Good for passing on, to children or through a socket.
    [[nodiscard]] int descriptor() const noexcept { return file_; }

    [[nodiscard]] result<std::uint64_t> bytes() const noexcept;
    /// @brief Makes the file zero, and so long, with memory behind `reserved` bytes of it.
    [[nodiscard]] result<void> make_zero(std::uint64_t bytes, std::uint64_t reserved) noexcept;
    /// @brief Nobody makes it longer or shorter; only of nameless files.
    void fix_size() noexcept;
    /// @brief Fills the span from the beginning of the file; answers how many bytes there were.
    [[nodiscard]] result<std::size_t> read(std::span<std::byte> into) const noexcept;
    [[nodiscard]] result<void> write(std::span<const std::byte> from) noexcept;

    /// @brief Takes the lock on a byte, which need not exist; false where another open file
    /// description has it. The kernel takes it back when the last descriptor of this description
    /// is gone, however the process ends.
    [[nodiscard]] result<bool> try_lock(std::uint64_t byte) noexcept;
    /// @brief The same, and waits.
    [[nodiscard]] result<void> lock(std::uint64_t byte) noexcept;
    void unlock(std::uint64_t byte) noexcept;

    /// @brief Maps so many bytes of it, readable and writable, but for those in `own` (an offset
    /// and a size in whole pages), which are this process's own zeroed memory. Children of fork
    /// have none of it.
    [[nodiscard]] result<range> map(std::uint64_t bytes, std::uint64_t alignment,
                                    range own) noexcept;
    static void unmap(range where) noexcept;

  private:
    explicit shared_file(int file) noexcept : file_(file) {}

    int file_;
};

} // namespace palloc::inline v0::detail
