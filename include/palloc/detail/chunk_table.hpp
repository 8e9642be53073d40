// SPDX-License-Identifier: MIT
/// @file
/// @brief The chunks of a pool: in order of creation, by address, and by whether they may have
/// room.
///
/// `made` is the truth: append-only in order of creation. `sorted` is the same by address, under a
/// sequence number: a reader that meets a change falls back to `made`, so it never waits, and a
/// signal handler that interrupts an addition still finds its chunk. `open` has a bit per chunk,
/// "may have room": advice that errs towards yes. `recent` remembers answers by address bits, so
/// that finding a chunk among many equal ones is O(1).
///
/// All storage comes in blocks from the metadata provider, doubling in size. A shared table keeps
/// its old blocks (readers may still be in them); together they are smaller than the newest.
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

namespace palloc::inline v0::detail {

/// @tparam Chunk  has `range where`, which never changes, and `std::size_t index`, which is ours.
/// @tparam Shared whether readers run while chunks are added. Changes are serialised by the caller.
template <class Chunk, bool Shared>
class chunk_table {
  public:
    [[nodiscard]] std::size_t size() const noexcept {
        return count_.load(std::memory_order_acquire);
    }

    /// @brief The i-th chunk in order of creation.
    [[nodiscard]] Chunk& operator[](std::size_t i) const noexcept {
        return *block()->made(i).load(std::memory_order_acquire);
    }

    /// @brief The chunk that contains `place`, or null.
    /// @par Complexity  O(1) when found where it was lately, else O(log chunks); O(chunks) during a
    /// change
    [[nodiscard]] Chunk* find(address place) const noexcept {
        table_block* const b = block();
        if (b == nullptr)
            return nullptr;
        std::atomic<Chunk*>& recent = b->recent(place);
        Chunk* found = recent.load(std::memory_order_acquire);
        if (found != nullptr && found->where.contains(place)) [[likely]]
            return found;
        found = search(place);
        if (found != nullptr && !by_age_.load(std::memory_order_relaxed)) {
            recent.store(found, Shared ? std::memory_order_seq_cst : std::memory_order_release);
            if (Shared && by_age_.load()) // since then: one of us two forgets it
                recent.store(nullptr);
        }
        return found;
    }

    /// @brief The same without taking note of the answer, so that nothing is written.
    [[nodiscard]] Chunk* peek(address place) const noexcept {
        table_block* const b = block();
        if (b == nullptr)
            return nullptr;
        Chunk* const found = b->recent(place).load(std::memory_order_acquire);
        return found != nullptr && found->where.contains(place) ? found : search(place);
    }

    /// @brief Bytes of all chunks together.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        return bytes_.load(std::memory_order_relaxed);
    }

    /// @brief Whether a chunk shares a byte with `where`. Serialised with changes by the caller.
    /// @par Complexity  O(log chunks); O(chunks) where chunks overlap already
    [[nodiscard]] bool overlaps(range where) const noexcept {
        if (by_age_.load(std::memory_order_relaxed)) {
            for (std::size_t i = size(); i-- != 0;)
                if ((*this)[i].where.overlaps(where))
                    return true;
            return false;
        }
        const std::size_t next = first_above(where.base);
        const auto overlaps_the = [&](std::size_t i) {
            return block()->sorted(i).load(std::memory_order_relaxed)->where.overlaps(where);
        };
        return (next != 0 && overlaps_the(next - 1)) || (next != size() && overlaps_the(next));
    }

    /// @brief The newest chunk older than number `below` that may have room, or null.
    /// @par Complexity  O(below / 64)
    [[nodiscard]] Chunk* newest_open(std::size_t below) const noexcept {
        table_block* const b = block();
        if (b == nullptr || below == 0)
            return nullptr;
        below = std::min(below, b->capacity);
        std::size_t at = (below - 1) / 64;
        std::uint64_t left = b->open(at).load() & (~std::uint64_t{0} >> (63 - (below - 1) % 64));
        while (left == 0) {
            if (at-- == 0)
                return nullptr;
            left = b->open(at).load();
        }
        const std::size_t index = at * 64 + 63 - static_cast<std::size_t>(std::countl_zero(left));
        return b->made(index).load(std::memory_order_acquire);
    }

    // In a shared table all accesses to `open` and to the pointer to the block are sequentially
    // consistent: whoever closes a chunk looks at its bitmap again afterwards, whoever makes room
    // opens the chunk afterwards, and one of the two must see the other.

    /// @brief Says that the chunk may have room again.
    void open(const Chunk& chunk) noexcept {
        std::atomic<std::uint64_t>& flags = block()->open(chunk.index / 64);
        const std::uint64_t flag = std::uint64_t{1} << (chunk.index % 64);
        const std::uint64_t before = flags.load();
        if ((before & flag) != 0) [[likely]]
            return;
        if constexpr (Shared)
            flags.fetch_or(flag);
        else
            flags.store(before | flag, std::memory_order_relaxed);
    }

    /// @brief Says that the chunk has no room; if it is shared, the caller looks again afterwards.
    void close(const Chunk& chunk) noexcept {
        std::atomic<std::uint64_t>& flags = block()->open(chunk.index / 64);
        const std::uint64_t flag = std::uint64_t{1} << (chunk.index % 64);
        if constexpr (Shared)
            flags.fetch_and(~flag);
        else
            flags.store(flags.load(std::memory_order_relaxed) & ~flag, std::memory_order_relaxed);
    }

    /// @brief Makes sure that one more chunk can be appended.
    /// @par Errors  those of the metadata provider; the table is unchanged.
    [[nodiscard]] result<void> reserve_one(metadata_ref metadata) noexcept {
        table_block* const old = block();
        const std::size_t count = size();
        if (old != nullptr && count < old->capacity)
            return {};
        const std::size_t capacity = old == nullptr ? first_capacity : 2 * old->capacity;
        const auto storage = metadata.take(table_block::bytes(capacity));
        if (!storage)
            return tl::unexpected(storage.error());
        auto* const fresh = ::new (*storage) table_block{capacity, old};
        for (std::size_t i = 0; i != count; ++i) {
            fresh->made(i).store(old->made(i).load(), std::memory_order_relaxed);
            fresh->sorted(i).store(old->sorted(i).load(), std::memory_order_relaxed);
            fresh->open(i / 64).fetch_or(std::uint64_t{1} << (i % 64), std::memory_order_relaxed);
        }
        if (old != nullptr)
            fresh->recent_shift.store(old->recent_shift.load(), std::memory_order_relaxed);
        const change_in_progress change(sequence_);
        block_.store(fresh);
        if constexpr (!Shared)
            drop_older(metadata);
        return {};
    }

    /// @brief From now on `find` answers the newest of several chunks that contain a place, in
    /// O(chunks). Said before the first chunk is appended that overlaps another or is empty.
    /// @pre  `reserve_one` succeeded.
    void search_by_age() noexcept {
        by_age_.store(true);
        block()->forget_recent();
    }

    /// @pre  `reserve_one` succeeded since the last `append`.
    void append(Chunk& chunk) noexcept {
        table_block* const b = block();
        const std::size_t count = size();
        chunk.index = count;
        count_bytes(chunk.where.bytes);
        b->recent_shift.store(slot_log2(bytes() / (count + 1)));
        const change_in_progress change(sequence_);
        std::size_t at = count;
        for (; at != 0; --at) {
            Chunk* const left = b->sorted(at - 1).load(std::memory_order_relaxed);
            if (left->where.base < chunk.where.base)
                break;
            // Whoever finds it here may not have seen it where it was.
            b->sorted(at).store(left, std::memory_order_release);
        }
        b->sorted(at).store(&chunk, std::memory_order_release);
        b->made(count).store(&chunk, std::memory_order_release);
        count_.store(count + 1, std::memory_order_release);
        open(chunk);
    }

    /// @brief Makes a table whole again in a child of fork, where a thread of the parent was in the
    /// middle of a change: `made` says what there is.
    void repair() noexcept {
        if (sequence_.load() % 2 == 0)
            return;
        table_block* const b = block();
        const std::size_t count = size();
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i != count; ++i) {
            Chunk* const chunk = b->made(i).load(std::memory_order_relaxed);
            bytes += chunk->where.bytes;
            std::size_t at = i;
            for (; at != 0; --at) {
                Chunk* const left = b->sorted(at - 1).load(std::memory_order_relaxed);
                if (left->where.base < chunk->where.base)
                    break;
                b->sorted(at).store(left, std::memory_order_relaxed);
            }
            b->sorted(at).store(chunk, std::memory_order_relaxed);
            open(*chunk);
        }
        bytes_.store(bytes, std::memory_order_relaxed);
        sequence_.store(sequence_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    /// @brief Alone. Takes out the chunks of which `is_doomed` says so; the newest is asked first,
    /// younger ones move up. `retire` gets each of them when nothing here refers to it any more.
    /// @par Complexity  O(chunks)
    template <class IsDoomed, class Retire>
    void remove_if(IsDoomed&& is_doomed, Retire&& retire) noexcept {
        constexpr std::size_t doomed = ~std::size_t{0};
        table_block* const b = block();
        const std::size_t count = size();
        for (std::size_t i = count; i-- != 0;)
            if (Chunk& chunk = (*this)[i]; is_doomed(chunk))
                chunk.index = doomed;
        std::size_t left = 0;
        for (std::size_t i = 0; i != count; ++i) {
            Chunk& chunk = (*this)[i];
            const bool was_open = b->is_open(i);
            b->close(i);
            if (chunk.index == doomed)
                continue;
            chunk.index = left++;
            b->made(chunk.index).store(&chunk, std::memory_order_relaxed);
            if (was_open)
                open(chunk);
        }
        count_.store(left, std::memory_order_relaxed);
        if (left != count)
            b->forget_recent();
        left = 0;
        for (std::size_t i = 0; i != count; ++i) {
            Chunk* const chunk = b->sorted(i).load(std::memory_order_relaxed);
            if (chunk->index != doomed) {
                b->sorted(left++).store(chunk, std::memory_order_relaxed);
                continue;
            }
            count_bytes(0 - chunk->where.bytes);
            retire(*chunk);
        }
    }

    /// @brief Gives every block back; the table is empty.
    void release(metadata_ref metadata) noexcept {
        drop_older(metadata);
        if (table_block* const b = block())
            metadata.give_back(reinterpret_cast<std::byte*>(b), table_block::bytes(b->capacity));
        block_.store(nullptr);
        count_.store(0);
        bytes_.store(0);
    }

  private:
    static constexpr std::size_t first_capacity = 8;

    /// The header of a block; behind it lie made, sorted and recent (chunk pointers), then open.
    struct table_block {
        std::size_t capacity;
        table_block* older;
        std::atomic<unsigned> recent_shift{63};

        static constexpr std::size_t pointers(std::size_t capacity) noexcept {
            return 4 * capacity;
        }
        static constexpr std::size_t bytes(std::size_t capacity) noexcept {
            return sizeof(table_block) + pointers(capacity) * sizeof(std::atomic<Chunk*>) +
                   (capacity + 63) / 64 * sizeof(std::atomic<std::uint64_t>);
        }
        std::atomic<Chunk*>& pointer(std::size_t i) noexcept {
            return reinterpret_cast<std::atomic<Chunk*>*>(this + 1)[i];
        }
        std::atomic<Chunk*>& made(std::size_t i) noexcept { return pointer(i); }
        std::atomic<Chunk*>& sorted(std::size_t i) noexcept { return pointer(capacity + i); }
        std::atomic<Chunk*>& recent(address place) noexcept {
            const unsigned shift = recent_shift.load(std::memory_order_relaxed);
            return pointer(2 * capacity +
                           (static_cast<std::size_t>(place >> shift) & (2 * capacity - 1)));
        }
        std::atomic<std::uint64_t>& open(std::size_t i) noexcept {
            return reinterpret_cast<std::atomic<std::uint64_t>*>(&pointer(pointers(capacity)))[i];
        }
        bool is_open(std::size_t i) noexcept { return (open(i / 64).load() >> (i % 64) & 1) != 0; }
        void close(std::size_t i) noexcept {
            open(i / 64).store(open(i / 64).load() & ~(std::uint64_t{1} << (i % 64)));
        }
        void forget_recent() noexcept {
            for (std::size_t i = 0; i != 2 * capacity; ++i)
                pointer(2 * capacity + i).store(nullptr);
        }
    };

    /// Holds the sequence number odd while `sorted` and the block change.
    class change_in_progress {
      public:
        explicit change_in_progress(std::atomic<std::uint64_t>& sequence) noexcept
            : sequence_(sequence) {
            sequence_.store(sequence_.load(std::memory_order_relaxed) + 1);
            std::atomic_thread_fence(std::memory_order_release);
        }
        ~change_in_progress() { sequence_.store(sequence_.load(std::memory_order_relaxed) + 1); }
        change_in_progress(const change_in_progress&) = delete;
        change_in_progress& operator=(const change_in_progress&) = delete;

      private:
        std::atomic<std::uint64_t>& sequence_;
    };

    [[nodiscard]] table_block* block() const noexcept { return block_.load(); }

    /// The bytes, as a power of two, that share a slot of `recent`, where chunks are so large on
    /// the average: about one chunk.
    [[nodiscard]] static unsigned slot_log2(std::uint64_t mean_bytes) noexcept {
        return mean_bytes <= 1
                   ? 0
                   : std::min(63U, static_cast<unsigned>(std::bit_width(mean_bytes - 1)));
    }

    void count_bytes(std::uint64_t more) noexcept {
        bytes_.store(bytes() + more, std::memory_order_relaxed); // changes are serialised
    }

    void drop_older(metadata_ref metadata) noexcept {
        table_block* const newest = block();
        while (newest != nullptr && newest->older != nullptr) {
            table_block* const old = newest->older;
            newest->older = old->older;
            metadata.give_back(reinterpret_cast<std::byte*>(old),
                               table_block::bytes(old->capacity));
        }
    }

    [[nodiscard]] Chunk* search(address place) const noexcept {
        const std::uint64_t before = sequence_.load(std::memory_order_acquire);
        if (before % 2 == 0 && !by_age_.load(std::memory_order_relaxed)) {
            Chunk* const found = search_sorted(place);
            std::atomic_thread_fence(std::memory_order_acquire);
            if (!Shared || sequence_.load(std::memory_order_relaxed) == before)
                return found;
        }
        const std::size_t count = size();
        table_block* const b = block();
        for (std::size_t i = count; i-- != 0;) {
            Chunk* const chunk = b->made(i).load(std::memory_order_acquire);
            if (chunk->where.contains(place))
                return chunk;
        }
        return nullptr;
    }

    [[nodiscard]] Chunk* search_sorted(address place) const noexcept {
        const std::size_t next = first_above(place);
        Chunk* const found =
            next == 0 ? nullptr : block()->sorted(next - 1).load(std::memory_order_acquire);
        return found != nullptr && found->where.contains(place) ? found : nullptr;
    }

    /// Where in `sorted` the first chunk with a base above `place` is, or the end. During a change
    /// anything up to the capacity.
    // The count is read after the sequence number, never before: an addition in between would
    // otherwise push the last chunk out of the part that is searched.
    [[nodiscard]] std::size_t first_above(address place) const noexcept {
        table_block* const b = block();
        std::size_t first = 0;
        for (std::size_t end = b == nullptr ? 0 : std::min(size(), b->capacity); first != end;) {
            const std::size_t middle = first + (end - first) / 2;
            Chunk* const chunk = b->sorted(middle).load(std::memory_order_acquire);
            if (chunk != nullptr && chunk->where.base <= place)
                first = middle + 1;
            else
                end = middle;
        }
        return first;
    }

    std::atomic<table_block*> block_{nullptr};
    std::atomic<std::size_t> count_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> sequence_{0};
    std::atomic<bool> by_age_{false};
};

} // namespace palloc::inline v0::detail
