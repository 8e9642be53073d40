// SPDX-License-Identifier: MIT
/// @file
/// @brief What `write_xor_execute` remembers of an area, and its write windows.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/bits.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/core/placement.hpp>
#include <palloc/core/process.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief The state of one area. Its books, one piece of zeroed storage: a bit for each 64 bytes
/// that have held something since they were last wiped; then, where pages differ, a byte a page.
struct twin_area {
    static constexpr std::uint64_t mark_bytes = 64;
    static constexpr std::uint64_t least_step_bytes = std::uint64_t{64} << 10;

    range where{};
    std::uint64_t page_bytes = 1;
    permissions wanted = permissions::none;
    bool alone = false;
    bool deferred = false;
    bool flips = false;           ///< has no alias; its own pages become writable
    bool is_private = false;      ///< a child of fork has its own copy
    std::uint8_t step_log2 = 16;  ///< of the bytes of a step
    address alias = 0;            ///< of where.base; 0: not open
    std::uint64_t generation = 0; ///< of the process that may write
    std::uint64_t ready = 0;      ///< a bit for each of at most 64 steps
    bits::word* written = nullptr;

    // ---------------------------------------------------------------- steps

    [[nodiscard]] bool has_steps() const noexcept { return executable(wanted) && !alone; }
    /// @brief The binary logarithm of the size of a step: a power of two, at least a page.
    [[nodiscard]] static std::uint8_t step_log2_of(std::uint64_t bytes,
                                                   std::uint64_t page_bytes) noexcept {
        const std::uint64_t least = std::max(least_step_bytes, page_bytes);
        return static_cast<std::uint8_t>(std::bit_width(std::max(least, (bytes + 63) / 64) - 1));
    }
    [[nodiscard]] std::uint64_t step_bytes() const noexcept {
        return std::uint64_t{1} << step_log2;
    }
    [[nodiscard]] std::size_t step_of(address place) const noexcept {
        return static_cast<std::size_t>((place - where.base) >> step_log2);
    }
    [[nodiscard]] range bytes_of_step(std::size_t step) const noexcept {
        const std::uint64_t first = step * step_bytes();
        return {where.base + first, std::min(step_bytes(), where.bytes - first)};
    }
    [[nodiscard]] bool is_ready(std::size_t step) const noexcept {
        return ((ready >> step) & 1U) != 0;
    }
    void set_ready(std::size_t step) noexcept { ready |= std::uint64_t{1} << step; }

    // ---------------------------------------------------------------- what was written

    [[nodiscard]] std::size_t marks() const noexcept {
        return static_cast<std::size_t>((where.bytes + mark_bytes - 1) / mark_bytes);
    }
    [[nodiscard]] granule_run marks_of(range part) const noexcept {
        const std::uint64_t first = part.base - where.base;
        const auto mark = static_cast<std::size_t>(first / mark_bytes);
        return {mark, static_cast<std::size_t>((first + part.bytes + mark_bytes - 1) / mark_bytes) -
                          mark};
    }
    [[nodiscard]] bool is_fresh(range part) const noexcept {
        return bits::each_word(marks_of(part), [&](std::size_t at, bits::word mask) {
            return (written[at] & mask) == 0;
        });
    }
    void mark_written(range part) noexcept { bits::set(written, marks_of(part)); }
    void mark_wiped(range part) noexcept { bits::clear(written, marks_of(part)); }

    // ---------------------------------------------------------------- pages

    [[nodiscard]] std::size_t page_count() const noexcept {
        return static_cast<std::size_t>(where.bytes / page_bytes);
    }
    [[nodiscard]] std::size_t book_bytes() const noexcept {
        return bits::words(marks()) * sizeof(bits::word) + (alone ? page_count() : 0);
    }
    /// @brief For each page 0: as wanted, or pending where deferred; else 1 + its permission.
    [[nodiscard]] std::uint8_t& page(std::size_t i) const noexcept {
        return reinterpret_cast<std::uint8_t*>(written + bits::words(marks()))[i];
    }
    [[nodiscard]] std::size_t page_of(address place) const noexcept {
        return static_cast<std::size_t>((place - where.base) / page_bytes);
    }
    [[nodiscard]] permissions allowed_on(std::size_t i) const noexcept {
        if (!alone)
            return wanted;
        if (page(i) == 0)
            return deferred ? permissions::none : wanted;
        return static_cast<permissions>(page(i) - 1);
    }
    [[nodiscard]] permissions allowed(address place) const noexcept {
        if (has_steps() && !is_ready(step_of(place)))
            return permissions::none;
        return alone ? allowed_on(page_of(place)) : wanted;
    }
    void set_allowed(range pages, permissions now) noexcept {
        const std::size_t last = page_of(pages.base + pages.bytes - 1);
        for (std::size_t i = page_of(pages.base); i <= last; ++i)
            page(i) = static_cast<std::uint8_t>(1 + static_cast<unsigned>(now));
    }
    [[nodiscard]] bool all_allowed(range part, permissions wished) const noexcept {
        if (!alone)
            return wanted == wished;
        const std::size_t last = page_of(part.base + part.bytes - 1);
        for (std::size_t i = page_of(part.base); i <= last; ++i)
            if (allowed_on(i) != wished)
                return false;
        return true;
    }
    [[nodiscard]] bool all_readable(range part) const noexcept {
        if (has_steps())
            for (std::size_t i = step_of(part.base); i <= step_of(part.base + part.bytes - 1); ++i)
                if (!is_ready(i))
                    return false;
        const std::size_t last = page_of(part.base + part.bytes - 1);
        for (std::size_t i = page_of(part.base); i <= last; ++i)
            if (!readable(allowed_on(i)))
                return false;
        return true;
    }
    /// @brief Lets code that was stored be fetched. Where it cannot be read yet, it waits until it
    /// is shown: caches are flushed by addresses that have access.
    void flush_code(range part) const noexcept {
        if ((alone || executable(wanted)) && all_readable(part))
            flush_instructions(part);
    }
    /// @brief The pages of `part`, whole.
    [[nodiscard]] range pages_around(range part) const noexcept {
        const address first = align_down(part.base, page_bytes);
        return {first, align_up(part.base + part.bytes, page_bytes) - first};
    }
    /// @brief The first pages at or after `place` that wait to be revealed; empty: none.
    [[nodiscard]] range next_pending(address place) const noexcept {
        if (!alone || !deferred)
            return {};
        std::size_t first = page_of(place);
        const std::size_t count = page_count();
        while (first < count && page(first) != 0)
            ++first;
        std::size_t last = first;
        while (last < count && page(last) == 0)
            ++last;
        return {where.base + first * page_bytes, (last - first) * page_bytes};
    }
    /// @brief Calls `f(range, permissions)` for runs of pages of `pages` that are alike, as long as
    /// it succeeds.
    template <class F>
    [[nodiscard]] result<void> each_run(range pages, F&& f) const noexcept {
        const std::size_t end =
            page_of(pages.base) + static_cast<std::size_t>(pages.bytes / page_bytes);
        for (std::size_t first = page_of(pages.base); first != end;) {
            const permissions here = allowed_on(first);
            std::size_t last = first + 1;
            while (last != end && allowed_on(last) == here)
                ++last;
            if (const auto done =
                    f(range{where.base + first * page_bytes, (last - first) * page_bytes}, here);
                !done)
                return done;
            first = last;
        }
        return {};
    }
};

/// @brief Bytes that may be written until the window closes.
class twin_window {
  public:
    explicit twin_window(range writable) noexcept : writable_(writable) {}

    /// @brief Makes pages writable where they are.
    template <backing_can_change_permissions Backing>
    [[nodiscard]] static result<twin_window> flipped(Backing& b, typename Backing::region& region,
                                                     twin_area& area, range part) noexcept {
        const range pages = area.pages_around(part);
        if (const auto open = b.protect(region, pages, permissions::read_write); !open)
            return tl::unexpected(open.error());
        twin_window it(part);
        it.backing_ = &b;
        it.region_ = &region;
        it.area_ = &area;
        it.pages_ = pages;
        it.restore_ = [](const twin_window& w) noexcept {
            return w.area_->each_run(w.pages_, [&](range run, permissions before) noexcept {
                return static_cast<Backing*>(w.backing_)
                    ->protect(*static_cast<typename Backing::region*>(w.region_), run, before);
            });
        };
        return it;
    }

    twin_window(twin_window&& other) noexcept
        : writable_(other.writable_), restore_(std::exchange(other.restore_, nullptr)),
          backing_(other.backing_), region_(other.region_), area_(other.area_),
          pages_(other.pages_) {}
    twin_window& operator=(twin_window&&) = delete;
    ~twin_window() { (void)close(); }

    /// @brief Where to write what is to appear in the area.
    [[nodiscard]] range writable() const noexcept { return writable_; }

    /// @brief How many permission changes it takes, opening and closing.
    [[nodiscard]] std::uint64_t changes() const noexcept { return restore_ == nullptr ? 0 : 2; }

    /// @brief Ends it.
    /// @par Errors  those of the backing; the pages are not executable then, and it can be tried
    /// again.
    result<void> close() noexcept {
        if (restore_ == nullptr)
            return {};
        auto done = restore_(*this);
        if (done)
            restore_ = nullptr;
        return done;
    }

  private:
    range writable_;
    result<void> (*restore_)(const twin_window&) noexcept = nullptr;
    void* backing_ = nullptr;
    void* region_ = nullptr;
    twin_area* area_ = nullptr;
    range pages_{};
};

} // namespace palloc::inline v0::detail
