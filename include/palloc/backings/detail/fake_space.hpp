// SPDX-License-Identifier: MIT
/// @file
/// @brief The simulated address space behind `fake`: who may do what where, and what was called.
#pragma once

#include <palloc/backings/detail/fault_script.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace palloc::inline v0 {

/// @brief What a test asks, and the books that a `fake` keeps. Outlives every `fake` over it.
///
/// State is kept for intervals, so a region of 64 TiB costs as much as a page. Contents are
/// numbers, one a byte: fresh ones when memory is committed, moved with the memory, 0 where nothing
/// is committed. Equal numbers at two addresses are the same memory.
class fake_space {
  public:
    /// @brief A call to the backing.
    struct call {
        backing_call kind;
        range where;
        bool succeeded;
        friend bool operator==(const call&, const call&) = default;
    };

    explicit fake_space(std::size_t page_bytes = 4096) noexcept
        : page_bytes_(page_bytes), cursor_(page_bytes) {}

    fault_script script; ///< which calls are to fail, and how many there were

    [[nodiscard]] std::size_t page_bytes() const noexcept { return page_bytes_; }

    /// @brief Whether the address belongs to a region or its alias.
    [[nodiscard]] bool is_mapped(address at) const noexcept { return looked_at(at).mapped; }
    [[nodiscard]] bool is_committed(address at) const noexcept { return content_at(at) != 0; }
    /// @brief What the view that contains the address allows.
    [[nodiscard]] permissions permissions_at(address at) const noexcept {
        return looked_at(at).allowed;
    }
    [[nodiscard]] std::uint64_t content_at(address at) const noexcept {
        return looked_at(at).content;
    }
    /// @brief Whether a load, a store or a jump to the address would fault.
    [[nodiscard]] bool read_faults(address at) const noexcept {
        const state here = looked_at(at);
        return here.content == 0 || here.allowed == permissions::none ||
               (here.key == 2 && openers_[2] == 0);
    }
    [[nodiscard]] bool write_faults(address at) const noexcept {
        const state here = looked_at(at);
        return here.content == 0 || !writable(here.allowed) || openers_[here.key] == 0;
    }
    [[nodiscard]] bool execute_faults(address at) const noexcept {
        const state here = looked_at(at);
        return here.content == 0 || !executable(here.allowed);
    }

    /// @brief Bytes of all regions and aliases; 0 when nothing is left behind.
    [[nodiscard]] std::uint64_t mapped_bytes() const noexcept {
        return sum([](const state& s) { return s.mapped; });
    }
    [[nodiscard]] std::uint64_t committed_bytes() const noexcept {
        return sum([](const state& s) { return s.content != 0; });
    }

    /// @brief Calls are logged from now on; off at first, because a pool may make millions.
    void start_log() noexcept { logging_ = true; }
    [[nodiscard]] const std::vector<call>& log() const noexcept { return log_; }

  private:
    template <bool Commits>
    friend class basic_fake;

    struct state {
        bool mapped = false;
        permissions allowed = permissions::none;
        std::uint64_t content = 0; ///< of the interval's first byte; the next has one more
        std::uint8_t key = 0;      ///< of a main view 1, of an alias 2
        friend bool operator==(const state&, const state&) = default;
    };
    using interval_map = std::map<address, state>; ///< each reaches to the next one's key

    static constexpr address end_of_space = address{1} << 47;

    [[nodiscard]] static state advanced(state s, std::uint64_t bytes) noexcept {
        if (s.content != 0)
            s.content += bytes;
        return s;
    }

    [[nodiscard]] state looked_at(address at) const noexcept {
        const std::lock_guard guard(mutex_);
        const auto it = std::prev(intervals_.upper_bound(at));
        return advanced(it->second, at - it->first);
    }

    template <class Predicate>
    [[nodiscard]] std::uint64_t sum(Predicate&& counts) const noexcept {
        const std::lock_guard guard(mutex_);
        std::uint64_t bytes = 0;
        for (auto it = intervals_.begin(); it != intervals_.end(); ++it)
            if (counts(it->second))
                bytes += end_of(it) - it->first;
        return bytes;
    }

    /// @brief Where the interval ends; 0 stands for 2^64.
    [[nodiscard]] address end_of(interval_map::const_iterator it) const noexcept {
        return std::next(it) == intervals_.end() ? 0 : std::next(it)->first;
    }

    /// @brief The interval that begins at `at`, cut out of its neighbour if need be.
    interval_map::iterator cut(address at) noexcept {
        const auto it = std::prev(intervals_.upper_bound(at));
        if (it->first == at)
            return it;
        return intervals_.emplace_hint(std::next(it), at, advanced(it->second, at - it->first));
    }

    /// @brief Calls `f(offset in the range, state)` for every interval in the range.
    template <class F>
    void change(range where, F&& f) noexcept {
        if (where.bytes == 0)
            return;
        const address end = where.base + where.bytes;
        const auto first = cut(where.base);
        const auto last = end == 0 ? intervals_.end() : cut(end);
        for (auto it = first; it != last; ++it)
            f(it->first - where.base, it->second);
        for (auto it = first; it != intervals_.end();) { // join what is alike again
            const auto at = it++;
            if (at != intervals_.begin()) {
                const auto before = std::prev(at);
                if (at->second == advanced(before->second, at->first - before->first))
                    intervals_.erase(at);
            }
            if (at == last)
                break;
        }
    }

    /// @brief Whether `holds(state)` for every interval in the range.
    template <class Predicate>
    [[nodiscard]] bool all(range where, Predicate&& holds) const noexcept {
        if (where.bytes == 0)
            return true;
        auto it = std::prev(intervals_.upper_bound(where.base));
        for (; it != intervals_.end() && it->first <= where.base + (where.bytes - 1); ++it)
            if (!holds(it->second))
                return false;
        return true;
    }

    /// @brief Sets the state of a range; contents count up through it.
    void set(range where, state wanted) noexcept {
        change(where, [&](std::uint64_t offset, state& s) { s = advanced(wanted, offset); });
    }

    /// @brief Numbers for the contents of so many bytes.
    [[nodiscard]] std::uint64_t fresh(std::uint64_t bytes) noexcept {
        return std::exchange(next_content_, next_content_ + bytes);
    }

    /// @brief The lowest aligned free place in `within`, not below `from`.
    [[nodiscard]] std::optional<address> gap(std::uint64_t bytes, std::uint64_t alignment,
                                             range within, address from) const noexcept {
        from = std::max({from, within.base, static_cast<address>(page_bytes_)});
        for (auto it = std::prev(intervals_.upper_bound(from));
             it != intervals_.end() && it->first < end_of_space; ++it) {
            const address end = end_of(it) == 0 ? end_of_space : std::min(end_of(it), end_of_space);
            const auto base = checked_align_up(std::max(it->first, from), alignment);
            if (!it->second.mapped && base && *base < end && bytes <= end - *base &&
                within.contains(range{*base, bytes}))
                return base;
        }
        return std::nullopt;
    }

    /// @brief A place for a region. Without a wish, addresses are not used again before the space
    /// has been gone through, and a page stays free between two regions: stray accesses show.
    [[nodiscard]] std::optional<address> place(std::uint64_t bytes, std::uint64_t alignment,
                                               range within) noexcept {
        auto base = gap(bytes, alignment, within, within == anywhere ? cursor_ : 0);
        if (!base && within == anywhere)
            base = gap(bytes, alignment, within, 0);
        if (base)
            cursor_ = *base + bytes + page_bytes_;
        return base;
    }

    mutable std::mutex mutex_;
    std::array<std::atomic<unsigned>, 3> openers_{1, 0, 0}; ///< by key; 0: no key
    std::size_t page_bytes_;
    address cursor_;
    std::uint64_t next_content_ = 1;
    interval_map intervals_{{0, state{}}};
    bool logging_ = false;
    std::vector<call> log_;
};

} // namespace palloc::inline v0
