// SPDX-License-Identifier: MIT
/// @file
/// @brief Random operations on a perm_alloc beside what every byte should be.
#pragma once

#include <palloc/core/permissions.hpp>
#include <palloc/core/process.hpp>
#include <palloc/perm_alloc.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <span>
#include <vector>

namespace palloc::test {

/// @tparam Allocator  a basic_perm_alloc
template <class Allocator>
class storm {
    using allocation = typename Allocator::allocation;
    struct block {
        allocation handle;
        permissions allowed;
        bool owns_pages;
        std::vector<std::byte> bytes;
    };

  public:
    explicit storm(Allocator& code, std::uint64_t seed) : code_(code), dice_(seed) {}
    ~storm() {
        for (const block& each : blocks_)
            (void)code_.free(each.handle);
    }
    storm(const storm&) = delete;
    storm& operator=(const storm&) = delete;

    /// @brief One operation. Answers whether all was as it should be.
    [[nodiscard]] bool step() {
        const unsigned kind = pick(100);
        if (blocks_.empty() || (kind < 30 && blocks_.size() < 200))
            return allocate();
        block& it = blocks_[pick(static_cast<unsigned>(blocks_.size()))];
        if (kind < 45)
            return free_one(it);
        if (kind < 60)
            return write(it);
        if (kind < 75)
            return edit(it, kind < 70);
        if (kind < 80)
            return patch(it);
        if (kind < 85)
            return shrink(it);
        if (kind < 90)
            return change(it);
        if (kind < 91)
            code_.give_back_empty_arenas(pick(2));
        return check(it) && find(it);
    }
    [[nodiscard]] bool check_all() {
        return std::all_of(blocks_.begin(), blocks_.end(), [&](block& it) { return check(it); });
    }

  private:
    unsigned pick(unsigned below) { return static_cast<unsigned>(dice_() % below); }

    bool say(bool good, const char* what) {
        if (!good)
            std::fprintf(stderr, "storm: %s\n", what);
        return good;
    }
    bool say(const result<void>& done, const char* what) {
        if (!done)
            std::fprintf(stderr, "storm: %s: %s %d\n", what,
                         std::string(to_string(done.error().code)).c_str(), done.error().os_code);
        return done.has_value();
    }

    bool allocate() {
        static constexpr permissions kinds[] = {permissions::read_execute,
                                                permissions::read_execute, permissions::read,
                                                permissions::read_write};
        const permissions allowed = kinds[pick(4)];
        const bool alone = pick(10) == 0;
        const std::uint64_t bytes = 1 + pick(pick(8) == 0 ? 100'000 : 3000);
        const range near = within_reach_of(address_of(&trap_byte));
        const auto got = code_.allocate({.within = pick(2) == 0 ? near : anywhere,
                                         .bytes = bytes,
                                         .allowed = allowed,
                                         .alignment = std::uint64_t{1} << pick(9),
                                         .owns_pages = alone});
        if (!got)
            return say(tl::unexpected(got.error()), "allocate");
        const std::byte fresh = allowed == permissions::read_execute ? trap_byte : std::byte{0};
        blocks_.push_back({*got, allowed, alone,
                           std::vector<std::byte>(static_cast<std::size_t>(got->size()), fresh)});
        return say(got->size() >= bytes, "size");
    }
    bool free_one(block& it) {
        if (!check(it))
            return false;
        const auto done = code_.free(it.handle);
        std::swap(it, blocks_.back());
        blocks_.pop_back();
        return say(done, "free");
    }
    range part_of(const block& it) {
        const auto size = static_cast<unsigned>(it.bytes.size());
        const unsigned first = pick(size);
        return {first, 1 + pick(std::min(size - first, 500U))};
    }
    bool write(block& it) {
        const range part = part_of(it);
        std::vector<std::byte> fresh(static_cast<std::size_t>(part.bytes));
        for (std::byte& each : fresh)
            each = static_cast<std::byte>(pick(256));
        if (!say(it.handle.write(part.base, fresh), "write"))
            return false;
        std::copy(fresh.begin(), fresh.end(),
                  it.bytes.begin() + static_cast<std::ptrdiff_t>(part.base));
        return true;
    }
    bool edit(block& it, bool committed) {
        const range part = part_of(it);
        auto writer = it.handle.open(part.base, part.bytes);
        if (!writer)
            return say(tl::unexpected(writer.error()), "open");
        if (!say(std::equal(writer->bytes().begin(), writer->bytes().end(),
                            it.bytes.begin() + static_cast<std::ptrdiff_t>(part.base)),
                 "what a writer shows"))
            return false;
        for (unsigned n = pick(20); n-- != 0;)
            writer->bytes()[pick(static_cast<unsigned>(part.bytes))] =
                static_cast<std::byte>(pick(256));
        if (!committed)
            return check(it);
        std::copy(writer->bytes().begin(), writer->bytes().end(),
                  it.bytes.begin() + static_cast<std::ptrdiff_t>(part.base));
        return say(writer->commit(), "commit");
    }
    bool patch(block& it) {
        const std::uint64_t value = dice_();
        const std::uint64_t offset = pick(static_cast<unsigned>(it.bytes.size() / 8)) * 8;
        if (!say(it.handle.patch(offset, value), "patch"))
            return false;
        std::memcpy(it.bytes.data() + offset, &value, 8);
        return true;
    }
    bool shrink(block& it) {
        if (it.owns_pages)
            return true;
        const std::uint64_t bytes = 1 + pick(static_cast<unsigned>(it.bytes.size()));
        if (!say(code_.shrink(it.handle, bytes), "shrink"))
            return false;
        it.bytes.resize(static_cast<std::size_t>(it.handle.size()));
        return check(it);
    }
    bool change(block& it) {
        if (!it.owns_pages)
            return say(!it.handle.change(permissions::read), "a change of what shares its pages");
        static constexpr permissions kinds[] = {permissions::read_execute, permissions::read,
                                                permissions::read_write};
        it.allowed = kinds[pick(3)];
        return say(it.handle.change(it.allowed), "change") && check(it);
    }
    bool check(block& it) {
        return say(it.handle.allowed() == it.allowed, "permissions") &&
               say(visible(it) || std::memcmp(reinterpret_cast<void*>(it.handle.address()),
                                              it.bytes.data(), it.bytes.size()) == 0,
                   "contents");
    }
    /// Fresh code cannot be read before something is committed near it.
    bool visible(const block& it) {
        return !it.owns_pages && it.allowed == permissions::read_execute &&
               std::all_of(it.bytes.begin(), it.bytes.end(),
                           [](std::byte each) { return each == trap_byte; });
    }
    bool find(block& it) {
        const address inside = it.handle.address() + pick(static_cast<unsigned>(it.bytes.size()));
        return say(code_.find(inside) == it.handle, "find");
    }

    Allocator& code_;
    std::mt19937_64 dice_;
    std::vector<block> blocks_;
};

} // namespace palloc::test
