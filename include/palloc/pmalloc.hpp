// SPDX-License-Identifier: MIT
/// @file
/// @brief pmalloc: pools of data that is written once, or rarely, and cannot be overwritten.
///
/// When to choose it: policies, configuration, keys, routing tables, parsed rules: loaded, then
/// protected, then read by everybody for as long as the process runs. Costs: those of the pool
/// while it is filled; some system calls to protect; nothing to read. docs/pmalloc.md says which
/// attacks each strength withstands.
///
///     auto rules = pmalloc::create({.name = "rules", .refill_bytes = 1 << 20}).value();
///     const auto text = rules->strdup("allow all").value();
///     const auto got = rules->protect();            // strength::sealed, or the error says why not
///
/// It is the pool, with the vocabulary of the kernel's pmalloc and prmem; where the original had a
/// defect (docs/pmalloc.md lists them) this has not. The pool lies in its own books, which are
/// read-only as soon as anything is protected. The caller sees to it that whoever fills the memory
/// is done before it is protected.
///
/// @par Thread safety  calls that change the pool (allocating, giving back, protecting) come from
/// one thread at a time. Meanwhile any thread may read, ask `owns` and `statistics`, and open
/// windows and write rarely into areas that are protected already; `state`, `achieved` and `locate`
/// describe a pool that is at rest.
///
/// Source: the kernel's pmalloc and prmem patches of 2018, by their documentation.
#pragma once

#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/protection.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>
#include <palloc/metadata/guarded_metadata.hpp>
#include <palloc/pmalloc/any_pmalloc.hpp>
#include <palloc/pmalloc/choose_protection.hpp>
#include <palloc/pmalloc/detail/pmalloc_core.hpp>
#include <palloc/pmalloc/detail/pmalloc_writing.hpp>
#include <palloc/pmalloc/options.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

/// @brief Objects whose memory may simply be dropped: a frozen pool runs no destructors, because
/// they would write. Specialise it for types of yours whose destructors do nothing that matters.
template <class T>
inline constexpr bool destructor_may_be_skipped = std::is_trivially_destructible_v<T>;

/// @tparam Protection  one that can be told to protect
/// @tparam Backing     where areas come from
/// @tparam Bitmap      one that knows blocks, so that they are given back by address
template <class Protection, backing_can_map Backing = native_views,
          bitmap_knows_blocks Bitmap = boundary<indexed>>
    requires protection_can_close<Protection, Backing>
class basic_pmalloc final : public detail::pmalloc_writing<Protection, Backing, Bitmap> {
    using base = detail::pmalloc_writing<Protection, Backing, Bitmap>;
    using base::clear;
    using base::number;
    using base::put;

    struct end_pool {
        void operator()(basic_pmalloc* pool) const noexcept { destroy(pool); }
    };

  public:
    using base::is_touchable;

    /// @brief Owns a pool. Ending it is `destroy`, in whatever state: all blocks are dropped and
    /// the memory is given back, but for permanent areas, which stay mapped until the process ends.
    using handle = std::unique_ptr<basic_pmalloc, end_pool>;

    /// @brief A listed, empty pool.
    /// @par Errors  `bad_argument`: no name, a name that is taken, an alignment that is no power of
    ///   two, an order of 32 or more, a strength that there is not; `corrupted`: the list of
    ///   pools was overwritten; `os_failure`. Nothing stays.
    [[nodiscard]] static result<handle> create(const pmalloc_options& options,
                                               Protection protection,
                                               Backing backing = Backing()) noexcept {
        if (options.name.empty() || !is_power_of_two(options.alignment) ||
            options.granule_order >= 32)
            return fail(errc::bad_argument);
        guarded_metadata books;
        const auto storage = books.take(sizeof(record) + options.name.size());
        if (!storage)
            return tl::unexpected(storage.error());
        const auto writable = standard_metadata().take(sizeof(detail::pmalloc_public));
        if (!writable)
            return tl::unexpected(writable.error());
        char* const name = reinterpret_cast<char*>(*storage + sizeof(record));
        std::memcpy(name, options.name.data(), options.name.size());
        auto* const made =
            ::new (*storage) record(options, {name, options.name.size()}, std::move(books),
                                    *writable, std::move(protection), std::move(backing));
        if (const auto listed = pmalloc_registry().add(made->pool.public_.entry); !listed) {
            detail::pmalloc_public& unlisted = made->pool.public_;
            drop(*made);
            release(unlisted);
            return tl::unexpected(listed.error());
        }
        return handle(&made->pool);
    }
    [[nodiscard]] static result<handle> create(const pmalloc_options& options) noexcept
        requires std::same_as<Protection, protection_choice> && std::default_initializable<Backing>
    {
        return choose_protection(options).and_then(
            [&](protection_choice chosen) { return create(options, std::move(chosen)); });
    }

    // ---------------------------------------------------------------- memory

    /// @brief Maps an area for at least `bytes` bytes now, so that later requests do not.
    /// @par Errors  `zero_size`, `over_limit`, `is_protected`, the backing's
    [[nodiscard]] result<void> preload(std::uint64_t bytes) noexcept {
        return this->map_ahead(bytes);
    }

    /// @brief A block. Its contents are not defined.
    /// @param alignment  more than the pool's own; a power of two, also beyond a page
    /// @par Errors  `zero_size`; `bad_alignment`; `is_protected`: the pool protects once and has,
    /// or
    ///   must not map and has no open area; `out_of_memory`; `over_limit`; those of mapping, of
    ///   protecting where an automatic pool closes its area, and of closing the books. Nothing
    ///   changed, though an area may be there already for the next request.
    [[nodiscard]] result<void*> alloc(std::uint64_t bytes,
                                      pmalloc_flags flags = pmalloc_flags::none) noexcept {
        return alloc_aligned(bytes, 1, flags);
    }
    [[nodiscard]] result<void*> alloc_aligned(std::uint64_t bytes, std::uint64_t alignment,
                                              pmalloc_flags flags = pmalloc_flags::none) noexcept {
        return this->request(bytes, alignment, flags).map([](address block) {
            return reinterpret_cast<void*>(block);
        });
    }
    /// @brief A block of zeros.
    [[nodiscard]] result<void*> zalloc(std::uint64_t bytes, std::uint64_t alignment = 1,
                                       pmalloc_flags flags = pmalloc_flags::none) noexcept
        requires is_touchable
    {
        return alloc_aligned(bytes, alignment, flags).and_then([&](void* block) {
            return or_give_back(block, clear(block, bytes));
        });
    }
    /// @brief Room for `count` things of `bytes` bytes each.
    /// @par Errors  also `too_large`: the product overflows
    [[nodiscard]] result<void*> alloc_array(std::uint64_t count, std::uint64_t bytes,
                                            pmalloc_flags flags = pmalloc_flags::none) noexcept {
        const auto all = checked_multiply(count, bytes);
        return all ? alloc(*all, flags) : fail(errc::too_large);
    }
    /// @brief The same, zeroed.
    [[nodiscard]] result<void*> calloc(std::uint64_t count, std::uint64_t bytes,
                                       pmalloc_flags flags = pmalloc_flags::none) noexcept
        requires is_touchable
    {
        const auto all = checked_multiply(count, bytes);
        return all ? zalloc(*all, 1, flags) : fail(errc::too_large);
    }
    /// @brief A copy of the text, and a zero behind it.
    [[nodiscard]] result<const char*> strdup(std::string_view text,
                                             pmalloc_flags flags = pmalloc_flags::none) noexcept
        requires is_touchable
    {
        return zalloc(text.size() + 1, 1, flags)
            .and_then([&](void* block) {
                return or_give_back(block, put(block, std::as_bytes(std::span(text))));
            })
            .map([](void* block) { return static_cast<const char*>(block); });
    }
    /// @brief A `T` in the pool. It is never destroyed.
    /// @par Errors  also `not_supported`: a `T` that cannot be copied by its bytes, in a pool whose
    ///   areas are never writable
    template <class T, class... Args>
        requires(is_touchable && destructor_may_be_skipped<T> &&
                 std::constructible_from<T, Args...>)
    [[nodiscard]] result<T*>
    make(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        return make_flagged<T>(pmalloc_flags::none, std::forward<Args>(args)...);
    }
    /// @brief The same, with flags for the request.
    template <class T, class... Args>
        requires(is_touchable && destructor_may_be_skipped<T> &&
                 std::constructible_from<T, Args...>)
    [[nodiscard]] result<T*>
    make_flagged(pmalloc_flags flags,
                 Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        const auto block = alloc_aligned(sizeof(T), alignof(T), flags);
        if (!block)
            return tl::unexpected(block.error());
        if (this->is_writable(number(*block))) {
            unless_done back{this, *block};
            T* const made = ::new (*block) T(std::forward<Args>(args)...);
            back.block = nullptr;
            return made;
        }
        if constexpr (std::is_trivially_copyable_v<T>) {
            const T value(std::forward<Args>(args)...);
            return or_give_back(*block, put(*block, std::as_bytes(std::span(&value, 1))))
                .map([](void* there) { return static_cast<T*>(there); });
        } else {
            (void)this->give_back(number(*block), sizeof(T));
            return fail(errc::not_supported);
        }
    }
    /// @brief `count` value-initialised `T`s.
    template <class T>
        requires(is_touchable && destructor_may_be_skipped<T> && std::default_initializable<T>)
    [[nodiscard]] result<std::span<T>>
    make_array(std::uint64_t count, pmalloc_flags flags = pmalloc_flags::none) noexcept(
        std::is_nothrow_default_constructible_v<T>) {
        const auto all = layout::array_of<T>(count);
        if (!all)
            return fail(errc::too_large);
        const auto block = zalloc(all->bytes, all->alignment, flags);
        if (!block)
            return tl::unexpected(block.error());
        T* const first = static_cast<T*>(*block);
        if (this->is_writable(number(first))) {
            unless_done back{this, first};
            std::uninitialized_value_construct_n(first, count);
            back.block = nullptr;
        } else if (!std::is_trivially_default_constructible_v<T>) {
            (void)this->give_back(number(first), all->bytes);
            return fail(errc::not_supported);
        }
        return std::span<T>(first, static_cast<std::size_t>(count));
    }

    /// @brief Gives a block back. In an open area it is reused; in a protected one it is dead until
    /// the pool ends.
    /// @par Errors  misuse: `not_ours`, `not_a_block`, `double_free`, with a size `wrong_size`;
    /// those
    ///   of opening the books. Nothing changed.
    result<void> free(const void* block) noexcept { return this->give_back(number(block), 0); }
    result<void> free(const void* block, std::uint64_t bytes) noexcept {
        return bytes == 0 ? fail(errc::zero_size) : this->give_back(number(block), bytes);
    }

    /// @brief The pool as a `block_allocator`, for bridges and compositions.
    [[nodiscard]] result<address> allocate(std::uint64_t bytes,
                                           std::uint64_t alignment = 1) noexcept {
        return this->request(bytes, alignment, pmalloc_flags::none);
    }
    result<void> deallocate(address block, std::uint64_t bytes,
                            std::uint64_t alignment = 1) noexcept {
        if (!has_alignment(block, alignment)) [[unlikely]]
            return this->misused(errc::bad_alignment, {block, bytes});
        return bytes == 0 ? fail(errc::zero_size) : this->give_back(block, bytes);
    }

    // ---------------------------------------------------------------- protection

    /// @brief Protects all areas there are, then the books. Answers the weakest strength achieved;
    /// `none` for a pool without areas.
    ///
    /// What can be undone is done for all areas first, and seals are set last. Protecting what is
    /// protected changes nothing.
    /// @par Errors  the policy's. Where nothing was sealed yet, nothing is protected; else the
    /// state
    ///   is `interrupted`, and calling again goes on.
    [[nodiscard]] result<strength> protect() noexcept { return this->close_all(); }

    /// @brief A write-rare pool is immutable from now on, areas to come included. Answers the
    /// weakest strength achieved; `none` for a pool without areas.
    /// @par Errors  what `is_busy`: without keys, a window is still open; it writes until it is
    ///   closed, none opens any more where it is, and calling again goes on. `not_supported` where
    ///   the protection is not write-rare, and nothing changed;
    /// also
    ///   where `options.wanted` is required and only less could be had: the pool is immutable then,
    ///   and `achieved` says how. The backing's, and those of the books: calling again goes on
    [[nodiscard]] result<strength> make_read_only() noexcept
        requires protection_can_end_writing<Protection, Backing>
    {
        if (std::same_as<Protection, protection_choice> && !is_write_rare(this->options_.mode))
            return fail(errc::not_supported);
        typename base::open_books books(*this);
        if (!books.opened())
            return tl::unexpected(books.opened().error());
        const auto ended = this->pool_.end_writing();
        if (!ended)
            return ended;
        this->options_.protects_once = this->finished_ = this->has_closed_ = true;
        if (const auto closed = books.close(); !closed)
            return tl::unexpected(closed.error());
        if (this->pool_.chunk_count() == 0)
            return strength::none;
        if (*ended < std::min(this->options_.wanted, strength::sealed) &&
            this->options_.insistence == demand::required)
            return fail(errc::not_supported);
        return ended;
    }

    /// @brief Lets this thread read a pool that protection keys guard, if it is older than the key:
    /// it began before the first such pool of the process was protected.
    void admit_this_thread() noexcept
        requires protection_opens_windows<Protection, Backing>
    {
        this->pool_.for_each_chunk([this](const typename base::area& a) {
            if (this->pool_.achieved_in(a) == strength::guarded)
                (void)this->pool_.open_window({a.where.base, 1}); // whose end leaves it readable
        });
    }

  private:
    /// What lies at the beginning of the books; the name's characters follow.
    struct record {
        record(const pmalloc_options& options, std::string_view name, guarded_metadata&& from,
               std::byte* writable, Protection&& protection, Backing&& backing)
            : books(std::move(from)),
              pool(options, name, books, writable, std::move(protection), std::move(backing)) {}

        guarded_metadata books;
        basic_pmalloc pool;
    };

    basic_pmalloc(const pmalloc_options& options, std::string_view name, guarded_metadata& books,
                  std::byte* writable, Protection&& protection, Backing&& backing)
        : base(options, name, books, *::new(writable) detail::pmalloc_public(*this, name),
               std::move(protection), std::move(backing)) {}
    ~basic_pmalloc() = default;

    // Whoever looks for the pool meanwhile waits, and then does not find it: no other moment shows
    // memory that is protected and nobody's.
    static void destroy(basic_pmalloc* pool) noexcept {
        const auto opened = [&] { return !pool->books_closed_ || pool->books_.open().has_value(); };
        if (!opened() && !opened()) // without its books a pool cannot end: it stays as it is
            return;
        auto* const all =
            reinterpret_cast<record*>(reinterpret_cast<std::byte*>(pool) - offset_of_pool());
        detail::pmalloc_public& last = pool->public_;
        const misuse_policy on_misuse = pool->options_.on_misuse;
        if (!pmalloc_registry().remove(last.entry, [&] { drop(*all); }))
            on_misuse.handler(on_misuse.context,
                              {errc::corrupted, {address_of(&last.entry), sizeof last.entry}, {}});
        release(last);
    }
    [[nodiscard]] static std::size_t offset_of_pool() noexcept {
        constexpr std::size_t alignment = alignof(basic_pmalloc);
        return (sizeof(guarded_metadata) + alignment - 1) / alignment * alignment;
    }

    static void drop(record& all) noexcept {
        all.pool.~basic_pmalloc();
        const guarded_metadata last(std::move(all.books)); // unmaps `all`
    }
    static void release(detail::pmalloc_public& writable) noexcept {
        std::destroy_at(&writable);
        standard_metadata().give_back(reinterpret_cast<std::byte*>(&writable),
                                      sizeof(detail::pmalloc_public));
    }

    /// Gives a block back whose contents could not be made: their constructor throws.
    struct unless_done {
        basic_pmalloc* pool;
        void* block;
        ~unless_done() {
            if (block != nullptr)
                (void)pool->give_back(number(block), 0);
        }
    };

    [[nodiscard]] result<void*> or_give_back(void* block, const result<void>& done) noexcept {
        if (done)
            return block;
        (void)this->give_back(number(block), 0);
        return tl::unexpected(done.error());
    }
};

/// @brief The protection is chosen when the pool is made.
using pmalloc = basic_pmalloc<protection_choice>;

} // namespace palloc::inline v0
