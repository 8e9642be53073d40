// SPDX-License-Identifier: MIT
/// @file
/// @brief Metadata in a given span: a static array, or a segment that several processes share.
///
/// When to choose it: no operating system may be asked, or a second view has to find the same books
/// at the same places: equal calls in equal order get equal offsets. Costs: an addition; storage
/// that is not the newest stays taken.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace palloc::inline v0 {

/// @brief Hands out the span from its beginning on.
/// @par Thread safety none
class metadata_arena {
  public:
    /// @param storage outlives the arena and all that it hands out.
    /// @pre It is zero, or it holds what another arena over it handed out: then the same calls here
    /// attach to the same books.
    explicit metadata_arena(std::span<std::byte> storage) noexcept : storage_(storage) {
        const auto misplaced = reinterpret_cast<std::uintptr_t>(storage.data()) % storage_alignment;
        const std::size_t lost = misplaced == 0 ? 0 : storage_alignment - misplaced;
        storage_ = storage.subspan(std::min(lost, storage.size()));
    }

    /// @brief The next `bytes`, aligned to `storage_alignment`, as the span has them; zeroed if
    /// this arena handed them out before.
    /// @par Errors `zero_size`; `out_of_memory`
    /// @par Complexity O(1); O(bytes) for storage that was given back
    [[nodiscard]] result<std::byte*> take(std::size_t bytes) noexcept {
        if (bytes == 0)
            return fail(errc::zero_size);
        if (bytes > left_bytes())
            return fail(errc::out_of_memory);
        std::byte* const taken = storage_.data() + used_bytes_;
        if (used_bytes_ < high_water_bytes_)
            std::fill_n(taken, std::min(bytes, high_water_bytes_ - used_bytes_), std::byte{});
        used_bytes_ += rounded(bytes);
        high_water_bytes_ = std::max(high_water_bytes_, used_bytes_);
        return taken;
    }

    /// @brief Takes back the newest storage; any other stays taken until the arena ends.
    void give_back(std::byte* storage, std::size_t bytes) noexcept {
        const auto offset = static_cast<std::size_t>(storage - storage_.data());
        if (offset + rounded(bytes) == used_bytes_)
            used_bytes_ = offset;
    }

    /// @brief Bytes handed out, with what alignment lost between them.
    [[nodiscard]] std::size_t used_bytes() const noexcept { return used_bytes_; }

    /// @brief Bytes not handed out.
    [[nodiscard]] std::size_t left_bytes() const noexcept {
        return storage_.size() - std::min(used_bytes_, storage_.size());
    }

  private:
    [[nodiscard]] static constexpr std::size_t rounded(std::size_t bytes) noexcept {
        return (bytes + (storage_alignment - 1)) & ~(storage_alignment - 1);
    }

    std::span<std::byte> storage_;
    std::size_t used_bytes_ = 0;       ///< may pass the span's end by less than the alignment
    std::size_t high_water_bytes_ = 0; ///< what lies behind was never handed out by this arena
};

static_assert(metadata_provider<metadata_arena>);

} // namespace palloc::inline v0
