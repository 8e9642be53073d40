// SPDX-License-Identifier: MIT
/// @file
/// @brief Metadata in anonymous pages of the process: taken at once, paid for when touched.
///
/// When to choose it: by default. Costs: a request above 32 KiB is a mapping of its own, without
/// swap reserved and without huge pages, so that a book of gigabytes costs the pages that are
/// written. Smaller ones are rounded up to a power of two from 64 bytes on and carved from mappings
/// of 64 KiB, which stay until the provider ends.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>
#include <palloc/core/spin_lock.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief Takes storage from the operating system.
/// @par Thread safety any thread, but not a signal handler that may interrupt a call. A child of
/// fork goes on with copies; what another thread was just taking or giving back is lost to it.
class mapped_metadata {
  public:
    constexpr mapped_metadata() noexcept = default;

    /// @brief The same with the memory of one node, where the system lets this process choose;
    /// `unbound_mappings` counts where it does not.
    explicit constexpr mapped_metadata(numa_node node) noexcept : node_(node) {}

    mapped_metadata(const mapped_metadata&) = delete;
    mapped_metadata& operator=(const mapped_metadata&) = delete;

    /// @brief Ends the mappings of the small storage.
    /// @pre All storage has been given back.
    ~mapped_metadata();

    /// @brief Zeroed storage, aligned to `storage_alignment`.
    /// @par Errors `zero_size`; `too_large`; `os_failure`. Nothing is taken.
    /// @par Complexity O(bytes) for small storage that was used before, else O(1)
    [[nodiscard]] result<std::byte*> take(std::size_t bytes) noexcept;

    /// @brief Gives storage back.
    /// @pre It was taken here, with the same size.
    void give_back(std::byte* storage, std::size_t bytes) noexcept;

    /// @brief Mappings so far that should have been bound to the node, and could not be.
    [[nodiscard]] std::uint64_t unbound_mappings() const noexcept {
        return unbound_mappings_.load(std::memory_order_relaxed);
    }

  private:
    struct free_block { ///< lives in the storage that was given back
        free_block* next;
    };
    struct arena { ///< the first bytes of a 64 KiB mapping
        arena* next;
        std::size_t used_bytes;
    };

    [[nodiscard]] result<std::byte*> map_pages(std::uint64_t bytes) noexcept;
    [[nodiscard]] result<std::byte*> carve(std::size_t bytes) noexcept;

    detail::spin_lock busy_;
    numa_node node_ = any_node;
    std::atomic<std::uint64_t> unbound_mappings_{0};
    arena* arenas_ = nullptr;                ///< the newest first; only that one has room
    std::array<free_block*, 10> reusable_{}; ///< by size: 64 bytes, 128 … 32 KiB
};

/// @brief The provider that the whole process may share. It is never destroyed.
[[nodiscard]] mapped_metadata& default_metadata() noexcept;
/// @brief The same of one node, made at the first call that names it; `default_metadata()` for
/// `any_node`, for a number that no node can have, and where there is no memory for it.
[[nodiscard]] mapped_metadata& default_metadata(numa_node node) noexcept;

static_assert(metadata_provider<mapped_metadata>);

} // namespace palloc::inline v0
