// SPDX-License-Identifier: MIT
/// @file
/// @brief genalloc in the most naive way that still does everything: the model that the real one is
/// compared with. Written from the description of its behaviour, arithmetic that wraps included.
#pragma once

#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace palloc::test {

class naive_genalloc {
  public:
    enum class policy { first_fit, first_fit_align, first_fit_order_align, best_fit, fixed };
    static constexpr address no_physical = ~address{0};

    explicit naive_genalloc(unsigned order) : order_(order) {}

    void add(address base, address physical, std::uint64_t bytes, void* owner = nullptr) {
        chunks_.push_back({base, base + bytes - 1, bytes, physical, owner,
                           std::vector<bool>(static_cast<std::size_t>(bytes >> order_))});
    }

    /// @brief `data`: the alignment as an int, or the offset.
    std::optional<address> alloc(std::uint64_t bytes, policy how, std::uint64_t data,
                                 void** owner = nullptr) {
        if (owner != nullptr)
            *owner = nullptr;
        if (bytes == 0)
            return std::nullopt;
        const std::uint64_t count = granules(bytes);
        for (auto c = chunks_.rbegin(); c != chunks_.rend(); ++c) {
            if (bytes > available(*c))
                continue;
            const std::uint64_t start = ask(*c, count, how, data);
            if (start >= c->busy.size())
                continue;
            for (std::uint64_t i = 0; i != count; ++i)
                c->busy[static_cast<std::size_t>(start + i)] = true;
            if (owner != nullptr)
                *owner = c->owner;
            return c->base + (start << order_);
        }
        return std::nullopt;
    }

    /// @brief Whether the kernel would survive; only then anything changes.
    bool free(address block, std::uint64_t bytes, void** owner = nullptr) {
        chunk* const c = newest_with(block);
        if (owner != nullptr)
            *owner = c == nullptr ? nullptr : c->owner;
        if (c == nullptr || block + bytes - 1 > c->end)
            return false;
        const std::uint64_t start = (block - c->base) >> order_;
        const std::uint64_t count = granules(bytes);
        if (count > c->busy.size() || start > c->busy.size() - count)
            return count == 0;
        for (std::uint64_t i = 0; i != count; ++i)
            if (!c->busy[static_cast<std::size_t>(start + i)])
                return false;
        for (std::uint64_t i = 0; i != count; ++i)
            c->busy[static_cast<std::size_t>(start + i)] = false;
        return true;
    }

    [[nodiscard]] std::uint64_t avail() const {
        std::uint64_t sum = 0;
        for (const chunk& c : chunks_)
            sum += available(c);
        return sum;
    }
    [[nodiscard]] std::uint64_t size() const {
        std::uint64_t sum = 0;
        for (const chunk& c : chunks_)
            sum += c.bytes;
        return sum;
    }
    [[nodiscard]] bool has_addr(address start, std::uint64_t bytes) const {
        for (const chunk& c : chunks_)
            if (c.base <= start && start <= c.end && start + bytes - 1 <= c.end)
                return true;
        return false;
    }
    /// @brief All ones: none.
    [[nodiscard]] address virt_to_phys(address place) {
        const chunk* const c = newest_with(place);
        return c == nullptr ? no_physical : c->physical + (place - c->base);
    }

  private:
    static constexpr std::uint64_t no = std::numeric_limits<std::uint64_t>::max();

    struct chunk {
        address base;
        address end; ///< the last byte; wraps for an empty one
        std::uint64_t bytes;
        address physical;
        void* owner;
        std::vector<bool> busy;
    };

    [[nodiscard]] std::uint64_t granules(std::uint64_t bytes) const {
        return (bytes + ((std::uint64_t{1} << order_) - 1)) >> order_;
    }
    [[nodiscard]] std::uint64_t available(const chunk& c) const {
        std::uint64_t used = 0;
        for (const bool busy : c.busy)
            used += busy ? 1 : 0;
        return c.bytes - (used << order_);
    }
    chunk* newest_with(address place) {
        for (auto c = chunks_.rbegin(); c != chunks_.rend(); ++c)
            if (c->base <= place && place <= c->end)
                return &*c;
        return nullptr;
    }

    /// The first position from `start` on that is free, rounded up, and has `count` free granules.
    static std::uint64_t zero_area(const std::vector<bool>& busy, std::uint64_t start,
                                   std::uint64_t count, std::uint64_t mask, std::uint64_t offset) {
        while (true) {
            std::uint64_t at = start;
            while (at < busy.size() && busy[static_cast<std::size_t>(at)])
                ++at;
            at = ((at + offset + mask) & ~mask) - offset;
            if (at > busy.size() || count > busy.size() - at)
                return no;
            std::uint64_t in_the_way = at;
            while (in_the_way != at + count && !busy[static_cast<std::size_t>(in_the_way)])
                ++in_the_way;
            if (in_the_way == at + count)
                return at;
            if (in_the_way < start) // the kernel would never return
                return no;
            start = in_the_way + 1;
        }
    }

    [[nodiscard]] std::uint64_t ask(const chunk& c, std::uint64_t count, policy how,
                                    std::uint64_t data) const {
        const std::uint64_t granule = std::uint64_t{1} << order_;
        switch (how) {
        case policy::first_fit:
            return zero_area(c.busy, 0, count, 0, 0);
        case policy::first_fit_align:
            return zero_area(c.busy, 0, count, ((data + granule - 1) >> order_) - 1,
                             (c.base & (data - 1)) >> order_);
        case policy::first_fit_order_align: {
            std::uint64_t power = 1;
            while (power < count && power != 0)
                power *= 2;
            return zero_area(c.busy, 0, count, power - 1, 0);
        }
        case policy::fixed: {
            const std::uint64_t wanted = data >> order_;
            const bool whole = data % granule == 0 && wanted < c.busy.size();
            return whole && zero_area(c.busy, wanted, count, 0, 0) == wanted ? wanted : no;
        }
        case policy::best_fit:
            break;
        }
        std::uint64_t best = no;
        std::uint64_t best_length = no;
        for (std::uint64_t at = 0; at < c.busy.size();) {
            std::uint64_t end = at;
            while (end < c.busy.size() && !c.busy[static_cast<std::size_t>(end)])
                ++end;
            if (end != at && end - at >= count && end - at < best_length) {
                best = at;
                best_length = end - at;
            }
            at = end + 1;
        }
        return best;
    }

    unsigned order_;
    std::vector<chunk> chunks_; ///< the newest last
};

} // namespace palloc::test
