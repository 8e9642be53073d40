// SPDX-License-Identifier: MIT
/// @file
/// @brief A stack of free blocks of one size in front of a pool.
///
/// When to choose it: blocks of one size come and go in quick succession. A pair on the stack costs
/// a comparison, a load and a store; the pool is asked for, or given, half a stack at a time.
/// Costs: 8 bytes a place, out of band: managed memory is never touched. As many blocks as lie on
/// the stack are free and yet not available to anybody else.
///
/// To the pool a block on the stack is in use. So misuse is detected, but later:
///
/// | misuse                                        | detected                                  |
/// |-----------------------------------------------|-------------------------------------------|
/// | a free of the block on top of the stack       | at once                                   |
/// | a free of a block deeper in the stack         | when its second copy reaches the pool     |
/// | a free of what the pool has, or never had     | when it reaches the pool                  |
/// | a free of a block of another size             | not: it is taken for one of the one size  |
///
/// What lies on the stack wrongly may be handed out before it reaches the pool; where that may not
/// be, use the pool without a magazine.
///
/// Source: J. Bonwick, J. Adams, "Magazines and Vmem", USENIX 2001.
#pragma once

#include <palloc/compositions/detail/block_stack.hpp>
#include <palloc/compositions/detail/free_room.hpp>
#include <palloc/compositions/detail/sizes.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pool_options.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace palloc::inline v0 {

/// @tparam Depth  places of the stack.
template <block_allocator Pool, std::size_t Depth = 32>
class magazine : public detail::room_behind_kept_blocks<magazine<Pool, Depth>, Pool> {
  public:
    static constexpr bool is_touchable = pool_can_serve_containers<Pool>;

    /// @param block  size and alignment of the blocks that are kept. A request that is not larger
    ///   in either gets one; any other goes to the pool.
    /// @param parts  what the pool is made of.
    template <class... Parts>
    explicit magazine(layout block, Parts&&... parts)
        : block_(block), pool_(std::forward<Parts>(parts)...) {}
    magazine(const magazine&) = delete;
    magazine& operator=(const magazine&) = delete;
    ~magazine() { flush(); }

    /// @brief A block.
    /// @par Errors  the pool's
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        if (!is_kept(bytes, alignment)) [[unlikely]]
            return pool_.allocate(bytes, alignment);
        return free_.take(pool_, block_);
    }

    /// @brief Gives a block back; the same size and alignment.
    /// @par Errors  the pool's, but see above when
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        if (!is_kept(bytes, alignment) || !has_alignment(block, alignment)) [[unlikely]]
            return pool_.deallocate(block, bytes, alignment);
        return free_.put(block, pool_, block_);
    }

    /// @brief Gives every block on the stack back to the pool.
    void flush() noexcept { free_.flush(pool_, block_); }

    /// @brief Drops every live block at once.
    void reset() noexcept
        requires requires(Pool& p) { p.reset(); }
    {
        free_.clear();
        pool_.reset();
    }

    /// @brief Bytes that a block asked for with these two may use.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes,
                                             std::uint64_t alignment = 1) const noexcept
        requires detail::tells_sizes<Pool>
    {
        const layout block = is_kept(bytes, alignment) ? block_ : layout{bytes, alignment};
        return detail::usable_bytes(pool_, block.bytes, block.alignment);
    }

    /// @brief Makes a block longer or shorter where it is; it is given back with the new size.
    /// @par Errors  `no_room`: also where only one of the sizes is kept; those of the part
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes,
                        std::uint64_t alignment = 1) noexcept
        requires detail::tells_sizes<Pool>
    {
        const bool kept = is_kept(old_bytes, alignment);
        if (new_bytes == 0 || kept != is_kept(new_bytes, alignment))
            return detail::stays_unless(true, new_bytes);
        if (!kept)
            return detail::resize(pool_, block, old_bytes, new_bytes, alignment);
        return {};
    }

    /// @brief Why the request would fail now, see `pool::explain`.
    [[nodiscard]] explanation explain(layout wanted) noexcept
        requires detail::tells_sizes<Pool>
    {
        if (!is_kept(wanted.bytes, wanted.alignment))
            return detail::explain(pool_, wanted);
        if (free_.size() != 0)
            return {.needed_bytes = block_.bytes};
        return detail::explain(pool_, block_);
    }

    [[nodiscard]] bool owns(address place) noexcept { return pool_.owns(place); }

    /// @brief Blocks on the stack.
    [[nodiscard]] std::size_t kept() const noexcept { return free_.size(); }
    [[nodiscard]] std::uint64_t kept_bytes() const noexcept { return free_.size() * block_.bytes; }
    [[nodiscard]] layout block() const noexcept { return block_; }
    [[nodiscard]] Pool& pool() noexcept { return pool_; }
    [[nodiscard]] const Pool& pool() const noexcept { return pool_; }

  private:
    [[nodiscard]] bool is_kept(std::uint64_t bytes, std::uint64_t alignment) const noexcept {
        return bytes - 1 < block_.bytes && alignment <= block_.alignment &&
               is_power_of_two(alignment);
    }

    detail::block_stack<Depth> free_;
    layout block_;
    Pool pool_;
};

} // namespace palloc::inline v0
