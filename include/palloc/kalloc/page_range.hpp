// SPDX-License-Identifier: MIT
/// @file
/// @brief The pages of a mapped block, one by one.
///
/// A page is borrowed: it owns nothing, and asks its owner for the block at every call. So a page
/// of a `vec` that has grown, moved, shrunk or lost its block since is still right, or answers
/// `past_the_end`; so does one of a block of a vmalloc heap, which is asked whether it has the
/// block. It must not outlive the owner, or heap, itself: pages of a temporary do not compile, and
/// clang warns where what `pages()` or `page(i)` answers is returned from the owner's scope. (It is
/// not told that `range[i]` depends on the range: it need not, and correct programs would be
/// warned.) Assigned to what outlives the owner, or used when the owner has moved to another
/// address, a page reads what is there now: nobody can say so. Pages of a raw block without its
/// heap are as good as the pointer that they were made of.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <span>

#if defined(__has_cpp_attribute) && __has_cpp_attribute(clang::lifetimebound)
#define PALLOC_LIFETIME_BOUND [[clang::lifetimebound]]
#else
#define PALLOC_LIFETIME_BOUND
#endif

namespace palloc::inline v0 {

namespace detail {

/// @brief Where a block is, asked of its owner each time.
struct page_source {
    const void* owner = nullptr; ///< null: `raw` it is
    std::span<std::byte> (*block_of)(const void* owner,
                                     std::span<std::byte> raw) noexcept = nullptr;
    std::span<std::byte> raw = {};
    std::size_t page_bytes = 1;

    [[nodiscard]] std::span<std::byte> block() const noexcept {
        return owner == nullptr ? raw : block_of(owner, raw);
    }
    [[nodiscard]] std::size_t count() const noexcept {
        const std::size_t bytes = block().size();
        return bytes / page_bytes + (bytes % page_bytes != 0);
    }
};

} // namespace detail

/// @brief One page of a block. Reads and writes are those of memory: no race is allowed.
class borrowed_page {
  public:
    borrowed_page() noexcept = default;

    /// @brief Bytes of the page, all of which are mapped, also behind the block's end.
    [[nodiscard]] std::size_t bytes() const noexcept { return source_.page_bytes; }
    /// @brief Its number in the block.
    [[nodiscard]] std::size_t index() const noexcept { return index_; }

    /// @brief Its memory, good until the owner changes.
    /// @par Errors  `past_the_end` where the block has no such page any more
    [[nodiscard]] result<std::span<std::byte>> memory() const noexcept {
        return part(0, source_.page_bytes);
    }

    /// @brief Copies from the page.
    /// @par Errors  `bad_argument` unless [offset, offset + bytes) lies in the page; `past_the_end`
    [[nodiscard]] result<void> read(std::size_t offset, std::span<std::byte> into) const noexcept {
        return part(offset, into.size()).map([&](std::span<std::byte> from) noexcept {
            std::copy(from.begin(), from.end(), into.begin());
        });
    }
    /// @brief Copies into the page.
    /// @par Errors  as `read`; nothing is written
    [[nodiscard]] result<void> write(std::size_t offset,
                                     std::span<const std::byte> from) const noexcept {
        return part(offset, from.size()).map([&](std::span<std::byte> to) noexcept {
            std::copy(from.begin(), from.end(), to.begin());
        });
    }
    /// @brief Zeroes a part of the page.
    /// @par Errors  as `read`; nothing is written
    [[nodiscard]] result<void> fill_zero(std::size_t offset, std::size_t bytes) const noexcept {
        return part(offset, bytes).map([](std::span<std::byte> to) noexcept {
            std::fill(to.begin(), to.end(), std::byte{});
        });
    }

  private:
    friend class page_range;
    borrowed_page(const detail::page_source& source, std::size_t index) noexcept
        : source_(source), index_(index) {}

    [[nodiscard]] result<std::span<std::byte>> part(std::size_t offset,
                                                    std::size_t bytes) const noexcept {
        if (offset > source_.page_bytes || bytes > source_.page_bytes - offset)
            return fail(errc::bad_argument);
        if (index_ >= source_.count())
            return fail(errc::past_the_end);
        return std::span<std::byte>(source_.block().data() + index_ * source_.page_bytes + offset,
                                    bytes);
    }

    detail::page_source source_;
    std::size_t index_ = 0;
};

/// @brief The pages of a block in ascending order: a random-access view.
class page_range : public std::ranges::view_base {
  public:
    class iterator {
      public:
        using value_type = borrowed_page;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag; // for `operator*` answers by value
        using iterator_concept = std::random_access_iterator_tag;

        iterator() noexcept = default;

        [[nodiscard]] borrowed_page operator*() const noexcept { return (*this)[0]; }
        [[nodiscard]] borrowed_page operator[](std::ptrdiff_t n) const noexcept {
            return borrowed_page(source_, static_cast<std::size_t>(at_ + n));
        }
        iterator& operator+=(std::ptrdiff_t n) noexcept {
            at_ += n;
            return *this;
        }
        iterator& operator-=(std::ptrdiff_t n) noexcept { return *this += -n; }
        iterator& operator++() noexcept { return *this += 1; }
        iterator& operator--() noexcept { return *this += -1; }
        iterator operator++(int) noexcept {
            const iterator before = *this;
            ++*this;
            return before;
        }
        iterator operator--(int) noexcept {
            const iterator before = *this;
            --*this;
            return before;
        }
        friend iterator operator+(iterator i, std::ptrdiff_t n) noexcept { return i += n; }
        friend iterator operator+(std::ptrdiff_t n, iterator i) noexcept { return i += n; }
        friend iterator operator-(iterator i, std::ptrdiff_t n) noexcept { return i -= n; }
        friend std::ptrdiff_t operator-(const iterator& a, const iterator& b) noexcept {
            return a.at_ - b.at_;
        }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.at_ == b.at_;
        }
        friend std::strong_ordering operator<=>(const iterator& a, const iterator& b) noexcept {
            return a.at_ <=> b.at_;
        }

      private:
        friend class page_range;
        iterator(const detail::page_source& source, std::ptrdiff_t at) noexcept
            : source_(source), at_(at) {}

        detail::page_source source_;
        std::ptrdiff_t at_ = 0;
    };

    page_range() noexcept = default;

    /// @brief The pages of whatever block the owner has: `owner.page_block()` answers its bytes.
    template <class Owner>
    [[nodiscard]] static page_range of(const Owner& owner PALLOC_LIFETIME_BOUND,
                                       std::size_t page_bytes) noexcept {
        return page_range({.owner = &owner,
                           .block_of =
                               [](const void* it, std::span<std::byte>) noexcept {
                                   return static_cast<const Owner*>(it)->page_block();
                               },
                           .page_bytes = page_bytes});
    }

    /// @brief The pages of a block.
    /// @pre  The block begins at a page and outlives the range.
    /// @par Errors  `bad_alignment` where it begins elsewhere
    [[nodiscard]] static result<page_range> of_block(std::span<std::byte> block,
                                                     std::size_t page_bytes) noexcept {
        if (reinterpret_cast<std::uintptr_t>(block.data()) % page_bytes != 0)
            return fail(errc::bad_alignment);
        return page_range({.raw = block, .page_bytes = page_bytes});
    }

    /// @brief The same of a heap's block, for which the heap, `heap.usable_bytes(block)`, is asked
    /// at each call.
    template <class Heap>
    [[nodiscard]] static result<page_range> of_block(std::span<std::byte> block,
                                                     std::size_t page_bytes,
                                                     Heap& heap PALLOC_LIFETIME_BOUND) noexcept {
        return of_block(block, page_bytes).map([&](page_range all) noexcept {
            all.source_.owner = &heap;
            all.source_.block_of = [](const void* it, std::span<std::byte> raw) noexcept {
                auto& asked = *const_cast<Heap*>(static_cast<const Heap*>(it));
                const std::uint64_t there = asked.usable_bytes(raw.data()).value_or(0);
                return raw.first(
                    static_cast<std::size_t>(std::min<std::uint64_t>(there, raw.size())));
            };
            return all;
        });
    }

    [[nodiscard]] iterator begin() const noexcept { return iterator(source_, 0); }
    [[nodiscard]] iterator end() const noexcept {
        return iterator(source_, static_cast<std::ptrdiff_t>(page_count()));
    }

    /// @brief Pages that the block touches; the last may be used in part.
    [[nodiscard]] std::size_t page_count() const noexcept { return source_.count(); }
    [[nodiscard]] std::size_t size() const noexcept { return page_count(); }
    [[nodiscard]] bool empty() const noexcept { return page_count() == 0; }
    /// @brief Bytes of the block.
    [[nodiscard]] std::size_t block_bytes() const noexcept { return source_.block().size(); }
    [[nodiscard]] borrowed_page operator[](std::size_t i) const noexcept {
        return borrowed_page(source_, i);
    }

  private:
    explicit page_range(const detail::page_source& source) noexcept : source_(source) {}

    detail::page_source source_;
};

static_assert(std::random_access_iterator<page_range::iterator>);
static_assert(std::ranges::random_access_range<page_range> && std::ranges::view<page_range>);

} // namespace palloc::inline v0
