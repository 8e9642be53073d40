// SPDX-License-Identifier: MIT
/// @file
/// @brief The simplest thing that hands out blocks: for tests of what stands on one.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <cstdint>
#include <map>

namespace palloc::test {

/// @brief Addresses that go up and are never used again; remembers what is out.
class bump_parent {
  public:
    struct block {
        std::uint64_t bytes;
        std::uint64_t alignment;
        friend bool operator==(const block&, const block&) = default;
    };

    [[nodiscard]] result<address> allocate(std::uint64_t bytes, std::uint64_t alignment) noexcept {
        if (bytes == 0)
            return fail(errc::zero_size);
        if (!layout{bytes, alignment}.valid())
            return fail(errc::bad_alignment);
        const address base = align_up(next_, alignment);
        next_ = base + bytes;
        blocks[base] = {bytes, alignment};
        return base;
    }
    [[nodiscard]] result<void> deallocate(address base, std::uint64_t bytes,
                                          std::uint64_t alignment) noexcept {
        if (refuses)
            return fail(errc::os_failure);
        const auto found = blocks.find(base);
        if (found == blocks.end() || found->second != block{bytes, alignment})
            return fail(errc::not_a_block);
        blocks.erase(found);
        return {};
    }
    [[nodiscard]] bool owns(address at) const noexcept { return at < next_; }

    std::map<address, block> blocks;
    bool refuses = false; ///< to take blocks back

  private:
    address next_ = 0x1001;
};

static_assert(block_allocator<bump_parent>);

} // namespace palloc::test
