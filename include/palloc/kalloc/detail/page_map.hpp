// SPDX-License-Identifier: MIT
/// @file
/// @brief What every page of a heap belongs to, asked by address without a lock.
///
///     address -> its 64 MiB: a word of the root (16 MiB of addresses, of which a page is touched
///             for each 32 GiB in use) -> its 4 KiB: a code of the leaf
#pragma once

#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::detail {

/// @par Thread safety reads from any thread, of pages that have a code; two threads may write codes
/// of different pages
class page_map {
  public:
    using code = std::uint16_t; ///< 0: no page of the heap
    static constexpr std::uint64_t page_bytes = 4096;

    explicit page_map(metadata_ref books) noexcept : books_(books) {}
    page_map(const page_map&) = delete;
    page_map& operator=(const page_map&) = delete;
    ~page_map() {
        // Leaves are found by the pages that were ever covered, not by a walk over the root.
        for (leaf* each = leaves_.load(std::memory_order_relaxed); each != nullptr;) {
            leaf* const next = each->next;
            books_.give_back(reinterpret_cast<std::byte*>(each), sizeof(leaf));
            each = next;
        }
        if (auto* const all = root_.load(std::memory_order_relaxed))
            books_.give_back(reinterpret_cast<std::byte*>(all), root_bytes);
    }

    /// @brief Makes room for the codes of a range.
    /// @par Errors `bad_argument` beyond what a process has; the provider's. What room there is
    /// stays.
    [[nodiscard]] result<void> cover(range where) noexcept {
        if (where.base >= address_limit || where.bytes > address_limit - where.base)
            return fail(errc::bad_argument);
        const auto all = root();
        if (!all)
            return tl::unexpected(all.error());
        if (where.bytes == 0)
            return {};
        const std::uint64_t last = (where.base + where.bytes - 1) / leaf_reach;
        for (std::uint64_t i = where.base / leaf_reach; i <= last; ++i)
            if (const auto there = make_leaf((*all)[i]); !there)
                return there;
        return {};
    }

    /// @brief Says what the pages of a range belong to.
    /// @pre  It is covered, and begins at a page.
    void set(range where, code what) noexcept {
        auto* const all = root_.load(std::memory_order_acquire);
        for (address at = where.base; at < where.base + where.bytes; at += page_bytes)
            all[at / leaf_reach]
                .load(std::memory_order_acquire)
                ->codes[at % leaf_reach / page_bytes]
                .store(what, std::memory_order_release);
    }

    /// @brief What the page of an address belongs to.
    [[nodiscard]] code at(address place) const noexcept {
        auto* const all = root_.load(std::memory_order_acquire);
        if (all == nullptr || place >= address_limit) [[unlikely]]
            return 0;
        const leaf* const mine = all[place / leaf_reach].load(std::memory_order_acquire);
        if (mine == nullptr) [[unlikely]]
            return 0;
        return mine->codes[place % leaf_reach / page_bytes].load(std::memory_order_acquire);
    }

  private:
    static constexpr std::uint64_t address_limit = std::uint64_t{1} << process_address_bits;
    static constexpr std::uint64_t leaf_reach = std::uint64_t{64} << 20;

    struct leaf {
        std::atomic<code> codes[leaf_reach / page_bytes];
        leaf* next;
    };
    using word = std::atomic<leaf*>;
    static constexpr std::size_t root_bytes = address_limit / leaf_reach * sizeof(word);

    // Zeroed storage is null pointers and codes of 0.
    [[nodiscard]] result<word*> root() noexcept {
        word* there = root_.load(std::memory_order_acquire);
        if (there != nullptr)
            return there;
        const auto fresh = books_.take(root_bytes);
        if (!fresh)
            return tl::unexpected(fresh.error());
        auto* const mine = reinterpret_cast<word*>(*fresh);
        if (root_.compare_exchange_strong(there, mine, std::memory_order_acq_rel))
            return mine;
        books_.give_back(*fresh, root_bytes);
        return there;
    }

    [[nodiscard]] result<void> make_leaf(word& place) noexcept {
        leaf* there = place.load(std::memory_order_acquire);
        if (there != nullptr)
            return {};
        const auto fresh = books_.take(sizeof(leaf));
        if (!fresh)
            return tl::unexpected(fresh.error());
        auto* const mine = reinterpret_cast<leaf*>(*fresh);
        if (!place.compare_exchange_strong(there, mine, std::memory_order_acq_rel)) {
            books_.give_back(*fresh, sizeof(leaf));
            return {};
        }
        mine->next = leaves_.load(std::memory_order_relaxed);
        while (!leaves_.compare_exchange_weak(mine->next, mine, std::memory_order_relaxed)) {
        }
        return {};
    }

    metadata_ref books_;
    std::atomic<word*> root_ = nullptr;
    std::atomic<leaf*> leaves_ = nullptr;
};

} // namespace palloc::inline v0::detail
