// SPDX-License-Identifier: MIT
/// @file
/// @brief A magazine for every size class in front of a pool of blocks of any size.
///
/// When to choose it: one thread, and blocks of all sizes come and go in quick succession. A pair
/// that finds its block in a magazine costs about 4 ns, whatever the pool; the pool is asked for,
/// and given, several blocks of one class at a time. Costs: 256 bytes a class, out of band; sizes
/// are rounded up to classes; `rack_options` bounds what is free and yet kept from others.
///
/// What is said of misuse in `magazine.hpp` holds here too: it is detected when a block reaches the
/// pool. A block that is freed with a size of another class is refused then if the pool can tell.
#pragma once

#include <palloc/compositions/detail/free_room.hpp>
#include <palloc/compositions/detail/rack.hpp>
#include <palloc/compositions/detail/sizes.hpp>
#include <palloc/compositions/size_class_grid.hpp>
#include <palloc/concepts/pool.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pool_options.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @tparam Grid  the size classes; best those of the pool, if it has some.
template <block_allocator Pool, rack_options Options = rack_options{},
          class Grid = size_class_grid<>>
class magazine_rack
    : public detail::room_behind_kept_blocks<magazine_rack<Pool, Options, Grid>, Pool> {
  public:
    static constexpr bool is_touchable = pool_can_serve_containers<std::remove_reference_t<Pool>>;

    /// @param parts  what the pool is made of.
    template <class... Parts>
    explicit magazine_rack(Parts&&... parts) : pool_(std::forward<Parts>(parts)...) {}
    magazine_rack(const magazine_rack&) = delete;
    magazine_rack& operator=(const magazine_rack&) = delete;
    ~magazine_rack() { flush(); }

    /// @brief A block.
    /// @par Errors  the pool's
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        if (!rack_.serves(bytes, alignment)) [[unlikely]]
            return pool_.allocate(bytes, alignment);
        return rack_.take(bytes, pool_);
    }

    /// @brief Gives a block back; the same size and alignment.
    /// @par Errors  the pool's, but later
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        if (!rack_.serves(bytes, alignment) || !has_alignment(block, alignment)) [[unlikely]]
            return pool_.deallocate(block, bytes, alignment);
        return rack_.put(block, bytes, pool_);
    }

    /// @brief Gives every block in the magazines back to the pool.
    void flush() noexcept { rack_.flush(pool_); }

    /// @brief Drops every live block at once.
    void reset() noexcept
        requires requires(Pool& p) { p.reset(); }
    {
        rack_.clear();
        pool_.reset();
    }

    /// @brief Bytes that a block asked for with these two may use.
    [[nodiscard]] std::uint64_t usable_bytes(std::uint64_t bytes,
                                             std::uint64_t alignment = 1) const noexcept
        requires detail::tells_sizes<Pool>
    {
        const layout block =
            rack_.serves(bytes, alignment) ? rack_.rounded(bytes) : layout{bytes, alignment};
        return detail::usable_bytes(pool_, block.bytes, block.alignment);
    }

    /// @brief Makes a block longer or shorter where it is; it is given back with the new size.
    /// @par Errors  `no_room`: also where another class would serve the new size; those of the part
    result<void> resize(address block, std::uint64_t old_bytes, std::uint64_t new_bytes,
                        std::uint64_t alignment = 1) noexcept
        requires detail::tells_sizes<Pool>
    {
        const bool kept = rack_.serves(old_bytes, alignment);
        if (new_bytes == 0 || kept != rack_.serves(new_bytes, alignment))
            return detail::stays_unless(true, new_bytes);
        if (!kept)
            return detail::resize(pool_, block, old_bytes, new_bytes, alignment);
        return detail::stays_unless(
            rack_.rounded(old_bytes).bytes != rack_.rounded(new_bytes).bytes, new_bytes);
    }

    /// @brief Why the request would fail now, see `pool::explain`.
    [[nodiscard]] explanation explain(layout wanted) noexcept
        requires detail::tells_sizes<Pool>
    {
        if (!rack_.serves(wanted.bytes, wanted.alignment))
            return detail::explain(pool_, wanted);
        const layout block = rack_.rounded(wanted.bytes);
        if (rack_.has(wanted.bytes))
            return {.needed_bytes = block.bytes};
        return detail::explain(pool_, block);
    }

    [[nodiscard]] bool owns(address place) noexcept { return pool_.owns(place); }

    /// @brief Bytes of the blocks in the magazines; for the pool they are in use.
    [[nodiscard]] std::uint64_t kept_bytes() const noexcept { return rack_.kept_bytes(); }
    [[nodiscard]] Pool& pool() noexcept { return pool_; }
    [[nodiscard]] const Pool& pool() const noexcept { return pool_; }

  private:
    Pool pool_;
    detail::rack<Options, Grid> rack_;
};

} // namespace palloc::inline v0
