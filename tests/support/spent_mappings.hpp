// SPDX-License-Identifier: MIT
/// @file
/// @brief A process without mappings left, but for as many as are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sys/mman.h>

namespace palloc::test {

/// @brief Takes all mappings that the kernel lets this process have, and gives them back one by
/// one. For a child: what needs one meanwhile fails, the C library too.
class spent_mappings {
  public:
    spent_mappings() {
        ones_.reserve(most);
        constexpr std::size_t bytes = 2 * most * page;
        void* const got =
            ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (got == MAP_FAILED)
            return;
        auto* const first = static_cast<char*>(got);
        // Every second page gets other permissions than its neighbours: two mappings more.
        for (std::size_t i = 1; i != most; ++i) {
            char* const one = first + 2 * i * page;
            if (::mprotect(one, page, PROT_READ) != 0)
                break;
            ones_.push_back(one);
        }
        // Where one is left it takes an end of what is behind.
        if (!ones_.empty())
            (void)::mprotect(first + bytes - page, page, PROT_READ);
    }
    spent_mappings(const spent_mappings&) = delete;
    spent_mappings& operator=(const spent_mappings&) = delete;
    ~spent_mappings() {
        while (give_one_back()) {
        }
    }

    /// @brief How many there were.
    [[nodiscard]] std::size_t count() const { return ones_.size(); }
    /// @brief One mapping more may be had. Answers whether there was one to give.
    bool give_one_back() {
        if (ones_.empty())
            return false;
        ::munmap(ones_.back(), page);
        ones_.pop_back();
        return true;
    }

  private:
    static constexpr std::size_t most = std::size_t{1} << (sizeof(void*) == 4 ? 17 : 20);
    static constexpr std::uint64_t page = 4096;

    std::vector<char*> ones_;
};

} // namespace palloc::test
