// SPDX-License-Identifier: MIT
/// @file
/// @brief Finds every overlap of live blocks that another resource hands out.
///
/// The edges of blocks, looked at while time is taken, miss overlaps that lie between edges. This
/// keeps a byte for each 16 bytes of the address space, on pages that come when touched.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory_resource>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "distrust.hpp"
#include "mapped_array.hpp"

namespace palloc::bench {

class auditing_resource final : public std::pmr::memory_resource {
  public:
    explicit auditing_resource(std::pmr::memory_resource& audited)
        : audited_(&audited), parts_(std::size_t{1} << (address_bits - part_bits)) {}

    /// @brief Blocks that shared a byte with one that was live, or were misaligned.
    [[nodiscard]] std::uint64_t wrong_blocks() const noexcept { return wrong_; }

    /// @brief Has `reason(bytes, alignment, live_bytes)` called for every request that is refused.
    void on_refusal(std::function<void(std::size_t, std::size_t, std::uint64_t)> reason) {
        reason_ = std::move(reason);
    }

  private:
    static constexpr unsigned address_bits = 47;
    static constexpr unsigned part_bits = 30; // of the address space, with a shadow of 64 MiB
    static constexpr unsigned granule_bits = 4;
    static constexpr std::size_t part_granules = std::size_t{1} << (part_bits - granule_bits);

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        std::byte* const block = obtain(bytes, alignment);
        const std::lock_guard lock(mutex_);
        live_bytes_ += bytes;
        bool wrong = (reinterpret_cast<std::uintptr_t>(block) & (alignment - 1)) != 0;
        for_each_part(block, bytes, [&](std::byte* shadow, std::size_t granules) {
            wrong = wrong || std::memchr(shadow, 1, granules) != nullptr;
            std::memset(shadow, 1, granules);
        });
        wrong_ += wrong;
        return block;
    }

    std::byte* obtain(std::size_t bytes, std::size_t alignment) {
        try {
            return allocate_from(*audited_, bytes, alignment);
        } catch (const std::bad_alloc&) {
            const std::lock_guard lock(mutex_);
            if (reason_)
                reason_(bytes, alignment, live_bytes_);
            throw;
        }
    }

    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        {
            const std::lock_guard lock(mutex_);
            live_bytes_ -= bytes;
            for_each_part(block, bytes, [](std::byte* shadow, std::size_t granules) {
                std::memset(shadow, 0, granules);
            });
        }
        audited_->deallocate(block, bytes, alignment);
    }

    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    /// Calls `visit` with the shadow of the block, in as many pieces as it lies in.
    template <class Visit>
    void for_each_part(void* block, std::size_t bytes, Visit visit) {
        const auto place = reinterpret_cast<std::uintptr_t>(block);
        std::size_t granule = place >> granule_bits;
        const std::size_t end = ((place + bytes - 1) >> granule_bits) + 1;
        while (granule != end) {
            mapped_array<std::byte>& part = part_of(granule / part_granules);
            const std::size_t first = granule % part_granules;
            const std::size_t count = std::min(end - granule, part_granules - first);
            visit(part.data() + first, count);
            granule += count;
        }
    }

    mapped_array<std::byte>& part_of(std::size_t number) {
        std::uint32_t& index = parts_[number]; // one more than the place in shadows_
        if (index == 0) {
            shadows_.emplace_back(part_granules);
            index = static_cast<std::uint32_t>(shadows_.size());
        }
        return shadows_[index - 1];
    }

    std::pmr::memory_resource* audited_;
    std::mutex mutex_;
    mapped_array<std::uint32_t> parts_;
    std::vector<mapped_array<std::byte>> shadows_;
    std::uint64_t live_bytes_ = 0;
    std::function<void(std::size_t, std::size_t, std::uint64_t)> reason_;
    std::uint64_t wrong_ = 0;
};

} // namespace palloc::bench
