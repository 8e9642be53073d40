// SPDX-License-Identifier: MIT
/// @file
/// @brief A private copy of part of a block, and how what changed in it is made live.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>

namespace palloc::inline v0::detail {

/// @brief Stores at `place` the bytes of `now` that differ from `before`, and no others.
///
/// Each aligned word of eight bytes is stored at most once, as a whole, with release order: whoever
/// executes or reads it meanwhile sees the old word or the new one.
/// @pre  The words that the bytes lie in are the caller's.
inline void publish(address place, std::span<const std::byte> now,
                    std::span<const std::byte> before) noexcept {
    constexpr std::uint64_t low_bits = 0x7f7f'7f7f'7f7f'7f7f;
    for (std::size_t at = 0; at != now.size();) {
        const address word_at = align_down(place + at, address{8});
        const auto skipped = static_cast<std::size_t>(place + at - word_at);
        const std::size_t count = std::min(8 - skipped, now.size() - at);
        std::uint64_t fresh = 0;
        std::uint64_t old = 0;
        std::memcpy(reinterpret_cast<std::byte*>(&fresh) + skipped, now.data() + at, count);
        std::memcpy(reinterpret_cast<std::byte*>(&old) + skipped, before.data() + at, count);
        at += count;
        const std::uint64_t differs = fresh ^ old;
        if (differs == 0)
            continue;
        const std::uint64_t top = ((differs & low_bits) + low_bits) | differs;
        const std::uint64_t mask = ((top >> 7) & 0x0101'0101'0101'0101) * 0xff;
        const std::atomic_ref word(*reinterpret_cast<std::uint64_t*>(word_at));
        const std::uint64_t kept = word.load(std::memory_order_relaxed) & ~mask;
        word.store(kept | (fresh & mask), std::memory_order_release);
    }
}

/// @brief An edit that is open. Behind it lie the copy to be edited and the copy to compare with.
struct edit {
    edit* next = nullptr;
    edit* previous = nullptr;
    range block{};
    range target{};
    bool freed = false; ///< the block is no more

    [[nodiscard]] static constexpr std::size_t storage_bytes(std::uint64_t bytes) noexcept {
        return sizeof(edit) + 2 * static_cast<std::size_t>(bytes);
    }
    [[nodiscard]] std::span<std::byte> now() noexcept {
        return {reinterpret_cast<std::byte*>(this + 1), static_cast<std::size_t>(target.bytes)};
    }
    [[nodiscard]] std::span<std::byte> before() noexcept {
        return {now().data() + target.bytes, static_cast<std::size_t>(target.bytes)};
    }
};

/// @brief The edits that are open, so that a free can tell them. Not thread-safe.
class edit_list {
  public:
    [[nodiscard]] static result<edit*> make(metadata_ref metadata, range block,
                                            range target) noexcept {
        if (target.bytes > (~std::size_t{0} >> 2))
            return fail(errc::too_large);
        return metadata.take(edit::storage_bytes(target.bytes))
            .map([&](std::byte* storage) noexcept {
                return ::new (storage) edit{.block = block, .target = target};
            });
    }
    static void destroy(metadata_ref metadata, edit* gone) noexcept {
        const std::size_t bytes = edit::storage_bytes(gone->target.bytes);
        metadata.give_back(reinterpret_cast<std::byte*>(gone), bytes);
    }

    void add(edit& it) noexcept {
        it.next = first_;
        if (first_ != nullptr)
            first_->previous = &it;
        first_ = &it;
    }
    void remove(edit& it) noexcept {
        (it.previous != nullptr ? it.previous->next : first_) = it.next;
        if (it.next != nullptr)
            it.next->previous = it.previous;
    }
    /// @brief What of these blocks' edits lies in `gone` will never be live.
    void forget(range gone) noexcept {
        for (edit* it = first_; it != nullptr; it = it->next)
            it->freed = it->freed || it->target.overlaps(gone);
    }
    [[nodiscard]] bool any_on(range block) const noexcept {
        for (const edit* it = first_; it != nullptr; it = it->next)
            if (!it->freed && it->block == block)
                return true;
        return false;
    }

  private:
    edit* first_ = nullptr;
};

} // namespace palloc::inline v0::detail
