// SPDX-License-Identifier: MIT
/// @file
/// @brief Metadata in pages of its own, read-only but for as long as they are opened.
///
/// When to choose it: the books of a protected pool, which a stray or hostile store must not reach
/// either. Costs: a system call for each 64 KiB of books to close them and one to open them; books
/// that are given back stay taken until the provider ends, but for the newest and for large ones.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace palloc::inline v0 {

/// @brief Hands out zeroed storage from its own mappings. It may itself lie in storage that it
/// handed out, once it has been moved there.
/// @par Thread safety none; while the books are closed any thread may read them
class guarded_metadata {
  public:
    guarded_metadata() noexcept = default;
    guarded_metadata(guarded_metadata&& other) noexcept
        : newest_(std::exchange(other.newest_, nullptr)) {}
    guarded_metadata& operator=(guarded_metadata&&) = delete;
    guarded_metadata(const guarded_metadata&) = delete;
    guarded_metadata& operator=(const guarded_metadata&) = delete;
    /// @brief Unmaps everything.
    ~guarded_metadata();

    /// @pre  the books are open.
    /// @par Errors  `zero_size`; `too_large`; `os_failure`
    [[nodiscard]] result<std::byte*> take(std::size_t bytes) noexcept;
    /// @pre  the books are open.
    void give_back(std::byte* storage, std::size_t bytes) noexcept;

    /// @brief Every page is read-only from now on.
    /// @par Errors  `os_failure`: some pages may be closed; to open and to close are both possible
    [[nodiscard]] result<void> close() noexcept;
    /// @brief Every page may be written from now on.
    [[nodiscard]] result<void> open() noexcept;

    /// @brief Whether the byte lies in storage that this provider mapped.
    [[nodiscard]] bool contains(address place) const noexcept;
    [[nodiscard]] std::uint64_t mapped_bytes() const noexcept;

  private:
    struct arena { ///< the first bytes of a mapping
        arena* older;
        std::size_t bytes;
        std::size_t used_bytes;
    };

    [[nodiscard]] result<void> allow(permissions allowed) noexcept;

    arena* newest_ = nullptr;
};

static_assert(metadata_provider<guarded_metadata>);

} // namespace palloc::inline v0
