// SPDX-License-Identifier: MIT
/// @file
/// @brief Performs single operations of a trace on a memory resource.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <new>

#include "block_edges.hpp"
#include "distrust.hpp"
#include "trace.hpp"

namespace palloc::bench {

/// @brief A row of the replayer's table of live blocks.
struct live_block {
    std::byte* address; ///< null: no block, or one that was refused
    std::uint64_t bytes : 48;
    std::uint64_t alignment_log2 : 8;
};
static_assert(sizeof(live_block) == 16);

/// @brief What one thread's replay came to.
struct player_record {
    static constexpr std::uint64_t no_fault = ~std::uint64_t{0};

    std::uint64_t operations = 0;
    std::uint64_t refused = 0;                 ///< allocations that were answered by `bad_alloc`
    std::uint64_t first_refused_at = no_fault; ///< the operation that asked for the first
    std::uint64_t faults = 0; ///< blocks found damaged, or placed off their alignment
    std::uint64_t first_fault_at = no_fault; ///< the operation that found the first
};

class player {
  public:
    player(std::pmr::memory_resource& resource, live_block* table) noexcept
        : resource_(&resource), table_(table) {}

    /// @brief A refused block's later release does nothing; its resize is an allocation.
    void play(const operation& op) noexcept {
        live_block& block = table_[op.slot];
        switch (op.kind) {
        case operation_kind::allocate:
            block = obtain(op);
            adopt(op.slot, block);
            break;
        case operation_kind::release:
            give_back(op.slot, block);
            block.address = nullptr;
            break;
        case operation_kind::resize:
            const live_block fresh = obtain(op);
            if (fresh.address != nullptr && block.address != nullptr)
                std::memmove(fresh.address, block.address, std::min(fresh.bytes, block.bytes));
            give_back(op.slot, block);
            block = fresh;
            adopt(op.slot, block);
            break;
        }
        ++record_.operations;
    }

    /// @brief Checks and frees the block in `slot`, if there is one.
    void clear(std::uint32_t slot) noexcept {
        give_back(slot, table_[slot]);
        table_[slot].address = nullptr;
    }

    [[nodiscard]] const player_record& record() const noexcept { return record_; }

  private:
    [[nodiscard]] live_block obtain(const operation& op) noexcept {
        live_block fresh{nullptr, op.bytes, op.alignment_log2};
        try {
            fresh.address =
                allocate_from(*resource_, op.bytes, std::size_t{1} << op.alignment_log2);
        } catch (const std::bad_alloc&) {
            if (record_.refused++ == 0)
                record_.first_refused_at = record_.operations;
        }
        return fresh;
    }

    void adopt(std::uint32_t slot, const live_block& block) noexcept {
        if (block.address == nullptr) [[unlikely]]
            return;
        const auto place = reinterpret_cast<std::uintptr_t>(block.address);
        const std::uintptr_t mask = (std::uintptr_t{1} << block.alignment_log2) - 1;
        note((place & mask) != 0);
        write_edges(block.address, block.bytes, edge_pattern(slot, block.bytes));
    }

    void give_back(std::uint32_t slot, const live_block& block) noexcept {
        if (block.address == nullptr) [[unlikely]]
            return;
        note(!edges_intact(block.address, block.bytes, edge_pattern(slot, block.bytes)));
        resource_->deallocate(block.address, block.bytes, std::size_t{1} << block.alignment_log2);
    }

    /// Without a branch: the replay that measures the harness itself reuses one buffer, and finds
    /// every block damaged.
    void note(bool fault) noexcept {
        record_.faults += fault;
        const std::uint64_t at = fault ? record_.operations : player_record::no_fault;
        record_.first_fault_at = std::min(record_.first_fault_at, at);
    }

    std::pmr::memory_resource* resource_;
    live_block* table_;
    player_record record_;
};

} // namespace palloc::bench
