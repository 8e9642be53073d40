// SPDX-License-Identifier: MIT
/// @file
/// @brief Handles of perm_alloc: an allocation, and the writer that edits it.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>
#include <palloc/perm_alloc/detail/edit.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace palloc::inline v0 {

namespace detail {

template <class Self, class Pool>
class perm_core;

} // namespace detail

/// @brief Edits part of an allocation in private; nothing of it is seen before `commit`.
///
/// What a commit makes live are the bytes that were changed since the writer was opened, and no
/// others: two writers onto one place may be open, in several threads, and where both changed the
/// same byte the later commit counts. Commits happen one after another.
///
/// While others execute or read the place they see each aligned word of eight bytes either as it
/// was or as it is. So code may be patched that runs, if all that a commit changes lies in one such
/// word; anything larger only if nobody executes it meanwhile.
/// @par Thread safety  none for one writer; any thread for different ones
template <class Owner>
class code_writer {
  public:
    code_writer(code_writer&& other) noexcept
        : owner_(other.owner_), edit_(std::exchange(other.edit_, nullptr)) {}
    code_writer& operator=(code_writer&& other) noexcept {
        if (this != &other) {
            abandon();
            owner_ = other.owner_;
            edit_ = std::exchange(other.edit_, nullptr);
        }
        return *this;
    }
    /// @brief Abandons what was not committed.
    ~code_writer() { abandon(); }

    /// @brief What is to be there; at first what is there. Empty once it was committed or
    /// abandoned.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
        return edit_ == nullptr ? std::span<std::byte>{} : edit_->now();
    }
    /// @brief Where it will be.
    [[nodiscard]] range target() const noexcept {
        return edit_ == nullptr ? range{} : edit_->target;
    }

    /// @brief Writes `value` at `offset` from the beginning of the writer.
    /// @par Errors  `past_the_end`
    template <class T>
        requires std::is_trivially_copyable_v<T>
    result<void> put(std::uint64_t offset, const T& value) noexcept {
        const auto room = bytes();
        if (sizeof(T) > room.size() || offset > room.size() - sizeof(T))
            return fail(errc::past_the_end);
        std::memcpy(room.data() + offset, &value, sizeof(T));
        return {};
    }

    /// @brief Makes the changes live, for every core, and ends the writer.
    /// @par Errors  `bad_argument`: it has ended; `not_a_block`: the block, or this part of it, was
    ///   freed meanwhile; those of the operating system. Nothing changed, and the writer is open.
    [[nodiscard]] result<void> commit() noexcept {
        if (edit_ == nullptr)
            return fail(errc::bad_argument);
        return owner_->commit_one(edit_);
    }
    /// @brief The same for several writers of one allocator: all or none, and the cores are
    /// synchronised once.
    [[nodiscard]] static result<void> commit(std::span<code_writer* const> writers) noexcept {
        Owner* owner = nullptr;
        for (const code_writer* each : writers) {
            if (each->edit_ == nullptr || (owner != nullptr && owner != each->owner_))
                return fail(errc::bad_argument);
            owner = each->owner_;
        }
        return owner == nullptr ? result<void>{} : owner->commit_writers(writers);
    }

    /// @brief Ends the writer; the allocation is as if it had not been.
    void abandon() noexcept {
        if (edit_ != nullptr)
            owner_->end_edit(std::exchange(edit_, nullptr));
    }

  private:
    template <class, class>
    friend class detail::perm_core;
    code_writer(Owner& owner, detail::edit& it) noexcept : owner_(&owner), edit_(&it) {}

    Owner* owner_;
    detail::edit* edit_;
};

/// @brief A block of a perm_alloc, or none. A value: it does not free what it names.
///
/// What may be done to the block is always asked of the allocator, so copies agree.
template <class Owner>
class perm_allocation {
  public:
    using writer = code_writer<Owner>;

    /// @brief None: it contains nothing, and freeing it does nothing.
    perm_allocation() = default;

    /// @brief Where it is executed, or read.
    [[nodiscard]] palloc::address address() const noexcept { return where_.base; }
    /// @brief Bytes that it may use: as asked, rounded up to 64 or to pages.
    [[nodiscard]] std::uint64_t size() const noexcept { return where_.bytes; }
    [[nodiscard]] range where() const noexcept { return where_; }
    [[nodiscard]] explicit operator bool() const noexcept { return where_.bytes != 0; }
    [[nodiscard]] bool contains(palloc::address place) const noexcept {
        return where_.contains(place);
    }
    /// @brief The entry at `offset` as a pointer to function: `a.entry<int(int)>()`.
    template <class Function>
    [[nodiscard]] Function* entry(std::uint64_t offset = 0) const noexcept {
        return reinterpret_cast<Function*>(where_.base + offset);
    }

    /// @brief What may be done at its own addresses; at `offset`, where its pages differ.
    [[nodiscard]] permissions allowed(std::uint64_t offset = 0) const noexcept {
        return offset < size() ? owner_->allowed(*this, offset) : permissions::none;
    }
    /// @brief Whether it is writable at its own address, or a writer onto it is open.
    [[nodiscard]] bool is_writable() const noexcept {
        return where_.bytes != 0 && owner_->is_writable(*this);
    }

    /// @brief Opens a writer onto all, or `bytes` bytes from `offset` on.
    /// @par Errors  `past_the_end`, `zero_size`; `not_a_block`: it was freed; `is_protected`: it is
    ///   the parent's of a fork; those of the metadata provider and the operating system
    [[nodiscard]] result<writer> open() const noexcept { return open(0, size()); }
    [[nodiscard]] result<writer> open(std::uint64_t offset, std::uint64_t bytes) const noexcept {
        if (const auto good = part(offset, bytes); !good)
            return tl::unexpected(good.error());
        return owner_->open(*this, {where_.base + offset, bytes});
    }
    /// @brief Writes bytes and makes them live: a writer in one step, without its copies where the
    /// memory has held nothing so far.
    /// @par Errors  those of `open` and `commit`; nothing changed
    [[nodiscard]] result<void> write(std::uint64_t offset,
                                     std::span<const std::byte> bytes) const noexcept {
        if (const auto good = part(offset, bytes.size()); !good)
            return tl::unexpected(good.error());
        return owner_->write(*this, {where_.base + offset, bytes.size()}, bytes);
    }
    /// @brief Replaces one value while others may execute it: they see the old or the new one.
    /// @par Errors  `bad_alignment`: `offset` is not a multiple of its size; those of `write`
    template <class T>
        requires(std::is_trivially_copyable_v<T> && sizeof(T) <= 8 &&
                 std::has_single_bit(sizeof(T)))
    [[nodiscard]] result<void> patch(std::uint64_t offset, const T& value) const noexcept {
        if (offset % sizeof(T) != 0)
            return fail(errc::bad_alignment);
        return write(offset, std::as_bytes(std::span(&value, 1)));
    }

    /// @brief Changes what may be done to it, or to whole pages of it. Contents stay.
    /// @par Errors  `not_supported`: it does not own its pages; `past_the_end`; `bad_alignment`:
    /// not
    ///   whole pages; those of the operating system. Nothing changed.
    [[nodiscard]] result<void> change(permissions now) const noexcept {
        return change(0, size(), now);
    }
    [[nodiscard]] result<void> change(std::uint64_t offset, std::uint64_t bytes,
                                      permissions now) const noexcept {
        if (const auto good = part(offset, bytes); !good)
            return tl::unexpected(good.error());
        return owner_->change(*this, {where_.base + offset, bytes}, now);
    }

    friend bool operator==(const perm_allocation&, const perm_allocation&) = default;

  private:
    friend Owner;
    template <class, class>
    friend class detail::perm_core;
    perm_allocation(Owner& owner, range where) noexcept : owner_(&owner), where_(where) {}

    [[nodiscard]] result<void> part(std::uint64_t offset, std::uint64_t bytes) const noexcept {
        if (offset > size() || bytes > size() - offset)
            return fail(errc::past_the_end);
        return bytes == 0 ? fail(errc::zero_size) : result<void>{};
    }

    Owner* owner_ = nullptr;
    range where_{};
};

} // namespace palloc::inline v0
