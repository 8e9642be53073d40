// SPDX-License-Identifier: MIT
/// @file
/// @brief perm_alloc: memory with permissions, written through another view, never writable and
/// executable at once.
///
///     perm_alloc code;
///     auto f = code.allocate({.within = within_reach_of(runtime), .bytes = 96});
///     if (f && f->write(0, machine_code))
///         f->entry<int(int)>()(42);
///     code.free(*f);
///
/// When to choose it: code made at run time (JIT compilers, plugin loaders, patchers), with the
/// data of it. Small blocks of one permission share arenas of 2 MiB; no page holds bytes of two
/// permissions. Costs: the pool's search under a lock; a copy to write; 1 % of the memory.
/// @par Thread safety  any thread; not in signal handlers. In the child of a fork:
/// docs/perm_alloc.md
///
/// It is the pool, with a vocabulary: blocks from `pool`, permissions and windows from
/// `write_xor_execute`. Source: the perm_alloc RFC, with what its review asked for.
#pragma once

#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/either.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/hinted.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/core/address_space.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/os_codes.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/perm_alloc/allocation.hpp>
#include <palloc/perm_alloc/detail/arenas.hpp>
#include <palloc/perm_alloc/detail/fork_lock.hpp>
#include <palloc/perm_alloc/detail/perm_core.hpp>
#include <palloc/perm_alloc/options.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/write_xor_execute.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace palloc::inline v0 {

namespace detail {

template <class Backing, class... Observers>
using perm_pool = pool<static_granule<64>, arenas<Backing>, boundary<hinted>, first_fit,
                       write_xor_execute, Observers...>;

} // namespace detail

/// @tparam Backing    has two views of its memory, or can at least change permissions
/// @tparam Observers  who is told
template <backing_can_map Backing, pool_observer... Observers>
    requires memory_may_be_touched<Backing>
class basic_perm_alloc : public detail::perm_core<basic_perm_alloc<Backing, Observers...>,
                                                  detail::perm_pool<Backing, Observers...>> {
    using base = detail::perm_core<basic_perm_alloc, detail::perm_pool<Backing, Observers...>>;

  public:
    using typename base::allocation;
    using typename base::pool_type;
    using typename base::writer;

    static constexpr std::uint64_t granule_bytes = 64;

    /// @brief Empty; cannot fail, as nothing is mapped yet.
    explicit basic_perm_alloc(const perm_options& options = {}, Backing source = Backing(),
                              Observers... observers)
        : base(options,
               pool_options{
                   .name = options.name,
                   .growth = growth_policy::geometric(
                       options.arena_bytes, std::max(options.arena_bytes, options.largest_arena)),
                   .cap_bytes = options.cap_bytes,
                   .within = options.within,
                   .gives_back_empty_chunks = options.gives_back_empty_arenas,
                   .on_misuse = options.on_misuse,
                   .metadata = options.metadata},
               static_granule<granule_bytes>(),
               detail::arenas<Backing>(std::move(source), options.arena_bytes,
                                       options.cap_bytes == ~std::uint64_t{0}),
               first_fit(), write_xor_execute(options.metadata, options.require),
               std::move(observers)...) {}

    // ---------------------------------------------------------------- blocks

    /// @brief A block with its final permissions; it reads as zeros, code as traps.
    /// @par Errors  `zero_size`, `bad_alignment`; `out_of_memory`: no room in the range (`explain`
    ///   says how much there was); `over_limit`; `not_supported`: less than the required strength;
    ///   those of the operating system. Nothing changed.
    [[nodiscard]] result<allocation> allocate(const perm_request& wanted) noexcept {
        const detail::fork_guard alone(lock_);
        if (!alone) [[unlikely]]
            return fail(errc::not_supported);
        pool_.protection().look_at_process();
        if (wanted.owns_pages || wanted.deferred)
            return allocate_alone(wanted);
        prefer_backing_for(wanted.allowed);
        auto&& block = pool_.allocate(for_pool(wanted)); // a copy of it would be waited for
        if (!block) [[unlikely]]
            return allocate_otherwise(wanted, block.error());
        return hand_out(*block, wanted);
    }
    /// @brief The same in the order of the RFC: where, how much, what for.
    [[nodiscard]] result<allocation> allocate(range within, std::uint64_t bytes,
                                              permissions allowed) noexcept {
        return allocate({.within = within, .bytes = bytes, .allowed = allowed});
    }

    /// @brief Gives a block back and wipes it (`perm_options::wipes`); open writers onto it come to
    /// nothing. None is none.
    /// @par Errors  misuse: `not_ours`, `not_a_block`, `double_free`, `wrong_size`
    result<void> free(const allocation& gone) noexcept {
        if (!gone)
            return {};
        const detail::fork_guard alone(lock_);
        if (!alone)
            return fail(errc::not_supported);
        pool_.protection().look_at_process();
        const chunk* const arena = pool_.find(gone.address());
        if (arena == nullptr) [[unlikely]]
            return pool_.deallocate(gone.address(), gone.size()); // says what is wrong
        const bool alone_there = is_alone(*arena);
        if (auto&& released = pool_.deallocate_in(*arena, gone.address(), gone.size()); !released)
            [[unlikely]]
            return released;
        edits_.forget(gone.where());
        if (!alone_there || !pool_.release_empty_chunk_if(gone.address(), is_alone))
            this->reclaim(gone.where());
        return {};
    }

    /// @brief Gives the end of a block back; the beginning stays as it is.
    /// @par Errors  `zero_size`, `past_the_end`; misuse as for `free`; `not_supported`: it owns its
    ///   pages. Nothing changed.
    result<void> shrink(allocation& block, std::uint64_t bytes) noexcept {
        if (bytes == 0)
            return fail(errc::zero_size);
        if (bytes > block.size())
            return fail(errc::past_the_end);
        const std::uint64_t kept = align_up(bytes, granule_bytes);
        if (kept == block.size())
            return {};
        const detail::fork_guard alone(lock_);
        if (!alone)
            return fail(errc::not_supported);
        pool_.protection().look_at_process();
        const chunk* const arena = pool_.find(block.address());
        if (arena != nullptr && is_alone(*arena))
            return fail(errc::not_supported);
        if (const auto done = arena == nullptr
                                  ? pool_.resize(block.address(), block.size(), kept)
                                  : pool_.resize_in(*arena, block.address(), block.size(), kept);
            !done)
            return done;
        const range tail{block.address() + kept, block.size() - kept};
        edits_.forget(tail);
        block = made({block.address(), kept});
        this->reclaim(tail);
        return {};
    }

    /// @brief Gives arenas without blocks back to the system, all but `keep` of them. Answers their
    /// bytes. Without it they serve again, but for blocks that own their pages: those always go.
    /// @par Complexity  O(arenas)
    std::uint64_t give_back_empty_arenas(std::size_t keep = 0) noexcept {
        const detail::fork_guard alone(lock_);
        if (!alone)
            return 0;
        pool_.protection().look_at_process();
        return pool_.release_empty_chunks(keep);
    }

    /// @brief The block that contains `place`; none where no block does.
    /// @par Complexity  O(1) to O(log arenas), plus O(block / 4 KiB)
    [[nodiscard]] allocation find(address place) noexcept {
        const detail::fork_guard alone(lock_);
        const auto where = alone ? pool_.block_around(place) : fail(errc::not_supported);
        return where ? made(*where) : allocation();
    }

    /// @brief Why `wanted` would fail now, and how much room there was.
    /// @par Complexity  O(arenas), and reads the process's mappings
    [[nodiscard]] perm_explanation explain(const perm_request& wanted) noexcept {
        const detail::fork_guard alone(lock_);
        perm_explanation told{};
        if (!alone) {
            told.why = errc::not_supported;
            return told;
        }
        static_cast<explanation&>(told) = pool_.explain(for_pool(wanted));
        const range within = wanted.within == anywhere ? options_.within : wanted.within;
        told.largest_gap_bytes = largest_gap(within).value_or(range{}).bytes;
        return told;
    }

    // ---------------------------------------------------------------- for experts

    /// @brief Where the byte at `place` can be written.
    /// @par Errors  `not_ours`; `not_supported`: nowhere, its permissions have to change for it
    [[nodiscard]] result<address> to_writable(address place) noexcept {
        const detail::fork_guard alone(lock_);
        if (!alone)
            return fail(errc::not_supported);
        return pool_.with_area(
            place, [&](auto&, auto&, auto&, const auto& area) -> result<address> {
                if (area.allowed(place) == permissions::read_write)
                    return place;
                return area.alias == 0 ? fail(errc::not_supported)
                                       : result<address>(area.alias + (place - area.where.base));
            });
    }
    /// @brief Where what is written at `place` appears.
    /// @par Errors  `not_ours`
    /// @par Complexity  O(arenas)
    [[nodiscard]] result<address> to_final(address place) noexcept {
        const detail::fork_guard alone(lock_);
        std::optional<address> found;
        if (alone)
            std::as_const(pool_).for_each_chunk([&](const auto& c) {
                const bool here =
                    c.state.alias != 0 && range{c.state.alias, c.where.bytes}.contains(place);
                if (here)
                    found = c.where.base + (place - c.state.alias);
                else if (c.where.contains(place))
                    found = place;
            });
        return found ? result<address>(*found) : fail(errc::not_ours);
    }

    /// @brief What holds at `place`.
    [[nodiscard]] strength achieved(address place) noexcept {
        const detail::fork_guard alone(lock_);
        return alone ? pool_.achieved(place) : strength::none;
    }
    [[nodiscard]] perm_statistics statistics() noexcept {
        const detail::fork_guard alone(lock_);
        return statistics_;
    }
    /// @brief The pool beneath: for views and observers. Not while another thread allocates.
    [[nodiscard]] pool_type& as_pool() noexcept { return pool_; }

    // ---------------------------------------------------------------- readable, writable data

    /// @brief Blocks of data, as a part for bridges and compositions: `pool_resource(code.data())`
    /// is a std::pmr::memory_resource. It has no word for any other permission.
    class data_blocks {
      public:
        static constexpr bool is_touchable = true;
        static constexpr bool is_concurrent = true;

        explicit data_blocks(basic_perm_alloc& owner) noexcept : owner_(&owner) {}
        [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                               std::uint64_t alignment = 1) noexcept {
            return owner_
                ->allocate(
                    {.bytes = bytes, .allowed = permissions::read_write, .alignment = alignment})
                .map([](const allocation& block) { return block.address(); });
        }
        result<void> deallocate(address block, std::uint64_t bytes,
                                std::uint64_t alignment = 1) noexcept {
            if (!has_alignment(block, alignment)) [[unlikely]] {
                const detail::fork_guard alone(owner_->lock_);
                return alone ? owner_->pool_.deallocate(block, bytes, alignment) // says so
                             : fail(errc::not_supported);
            }
            return owner_->free(owner_->made({block, align_up(bytes, granule_bytes)}));
        }
        [[nodiscard]] bool owns(address place) noexcept {
            const detail::fork_guard alone(owner_->lock_);
            return alone && owner_->pool_.owns(place);
        }

      private:
        basic_perm_alloc* owner_;
    };
    [[nodiscard]] data_blocks data() noexcept { return data_blocks(*this); }

  private:
    using base::edits_;
    using base::lock_;
    using base::options_;
    using base::pool_;
    using base::statistics_;
    using base::unwiped_;
    using chunk = typename pool_type::chunk;

    static constexpr bool has_two_backings =
        requires(pool_type& pool) { pool.backing().prefer_first(true); };

    [[nodiscard]] static typename pool_type::request for_pool(const perm_request& wanted) noexcept {
        return {.bytes = wanted.bytes,
                .alignment = wanted.alignment,
                .within = wanted.within,
                .wished = {.wanted = wanted.allowed}};
    }
    [[nodiscard]] allocation made(range where) noexcept { return this->handle(where); }
    [[nodiscard]] static bool is_alone(const chunk& c) noexcept { return c.state.alone; }

    [[nodiscard]] [[gnu::always_inline]] result<allocation>
    hand_out(address block, const perm_request& wanted) noexcept {
        const range where{block, align_up(wanted.bytes, granule_bytes)};
        if (unwiped_ || writable(wanted.allowed))
            if (const auto clean = this->make_clean(where); !clean) {
                (void)pool_.deallocate(where.base, where.bytes);
                return tl::unexpected(clean.error());
            }
        return made(where);
    }
    [[nodiscard]] [[gnu::noinline]] result<allocation>
    allocate_otherwise(const perm_request& wanted, error why) noexcept {
        const auto block = place_otherwise([&] { return pool_.allocate(for_pool(wanted)); },
                                           wanted.allowed, tl::unexpected(why));
        return block ? hand_out(*block, wanted) : tl::unexpected(block.error());
    }

    /// Data needs no second view, and a child of fork gets its own copy of it.
    void prefer_backing_for([[maybe_unused]] permissions wanted) noexcept {
        if constexpr (has_two_backings)
            pool_.backing().prefer_first(has_two_views_ && !writable(wanted));
    }
    /// Asks for a place.
    template <class Ask>
    [[nodiscard]] auto place(Ask&& ask, permissions wanted) noexcept -> decltype(ask()) {
        prefer_backing_for(wanted);
        auto got = ask();
        return got ? std::move(got) : place_otherwise(ask, wanted, std::move(got));
    }
    /// Where the better of two backings turns out not to work here, asks once more of the other.
    template <class Ask>
    [[nodiscard]] auto place_otherwise([[maybe_unused]] Ask&& ask,
                                       [[maybe_unused]] permissions wanted,
                                       decltype(ask()) got) noexcept -> decltype(ask()) {
        if constexpr (has_two_backings)
            if (has_two_views_ && is_refused(got.error()) && !writable(wanted)) {
                pool_.backing().prefer_first(false);
                auto other = ask();
                has_two_views_ = !other;
                return other ? std::move(other) : std::move(got);
            }
        return got;
    }
    [[nodiscard]] static bool is_refused(error why) noexcept {
        return why.code == errc::not_supported || is_denial(why);
    }

    /// A block that is all of an arena.
    [[nodiscard]] result<allocation> allocate_alone(const perm_request& wanted) noexcept {
        if (wanted.bytes == 0)
            return fail(errc::zero_size);
        const std::uint64_t page = pool_.backing().page_bytes();
        if (!is_power_of_two(wanted.alignment) || wanted.alignment > page)
            return fail(errc::bad_alignment);
        const auto bytes = checked_align_up(wanted.bytes, page);
        if (!bytes)
            return fail(errc::too_large);
        const write_xor_execute::attributes wished{
            .wanted = wanted.allowed, .alone = true, .deferred = wanted.deferred};
        pool_.backing().exact(true);
        const auto arena = place(
            [&] {
                return pool_.grow(*bytes, wished,
                                  wanted.within == anywhere ? options_.within : wanted.within);
            },
            executable(wanted.allowed) ? wanted.allowed : permissions::read);
        pool_.backing().exact(false);
        if (!arena)
            return tl::unexpected(arena.error());
        const auto block = pool_.allocate({.bytes = *bytes, .within = *arena, .wished = wished});
        if (block && executable(wanted.allowed))
            if (const auto clean = this->fill({*block, *bytes}); !clean) {
                (void)pool_.deallocate(*block, *bytes);
                (void)pool_.release_empty_chunk_if(*block, is_alone);
                return tl::unexpected(clean.error());
            }
        return block.map([&](address at) { return made({at, *bytes}); });
    }

    bool has_two_views_ = true;
};

/// @brief With two views of its memory where the system allows that, else with permissions that
/// flip.
using perm_alloc = basic_perm_alloc<either<native_views, native_memory>>;

} // namespace palloc::inline v0
