// SPDX-License-Identifier: MIT
/// @file
/// @brief A typed allocator that trusts nobody: it compares every layout with what it handed out,
/// fails at a chosen call, and knows at its end whether anything is left.
#pragma once

#include <palloc/concepts/typed_allocator.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <span>

#include "check.hpp"

namespace palloc::test {

class ledger {
  public:
    static constexpr std::size_t min_align = 1;

    ledger() = default;
    ledger(const ledger&) = delete;
    ledger& operator=(const ledger&) = delete;
    ~ledger() { check(live_.empty()); }

    /// @brief The nth call from now on that needs memory (1: the next) fails.
    void fail_nth(std::uint64_t n) { fatal_ = n == 0 ? 0 : calls_ + n; }
    /// @brief Calls that needed memory so far.
    [[nodiscard]] std::uint64_t calls() const { return calls_; }
    [[nodiscard]] std::size_t live() const { return live_.size(); }
    [[nodiscard]] alloc_flags last_flags() const { return last_flags_; }

    /// @brief Always moves; fills with 0xa5 what nobody promised.
    [[nodiscard]] result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node node) noexcept {
        check(node == no_node);
        if (old_layout.bytes != 0)
            require(live_.contains(old) && live_.at(old) == old_layout);
        if (!wanted.valid())
            return fail(errc::bad_alignment);
        if (wanted.bytes == 0) {
            give_back(old, old_layout);
            return std::span<std::byte>(dangling(wanted.alignment), 0);
        }
        if (std::max(wanted.bytes, wanted.alignment) > most)
            return fail(errc::too_large);
        last_flags_ = flags;
        if (++calls_ == fatal_)
            return fail(errc::out_of_memory);
        auto* const fresh = static_cast<std::byte*>(
            ::operator new(static_cast<std::size_t>(wanted.bytes),
                           std::align_val_t(static_cast<std::size_t>(wanted.alignment))));
        std::memset(fresh, flags.contains(flags::zero) ? 0 : 0xa5,
                    static_cast<std::size_t>(wanted.bytes));
        if (old_layout.bytes != 0)
            std::memcpy(fresh, old,
                        static_cast<std::size_t>(std::min(wanted.bytes, old_layout.bytes)));
        give_back(old, old_layout);
        live_.emplace(fresh, wanted);
        return std::span(fresh, static_cast<std::size_t>(wanted.bytes));
    }

  private:
    static constexpr std::uint64_t most = std::uint64_t{1} << 40;

    void give_back(std::byte* old, const layout& of) noexcept {
        if (of.bytes == 0)
            return;
        live_.erase(old);
        ::operator delete(old, std::align_val_t(of.alignment));
    }

    std::map<std::byte*, layout> live_;
    std::uint64_t calls_ = 0;
    std::uint64_t fatal_ = 0;
    alloc_flags last_flags_{};
};

using ledger_ref = allocator_ref<ledger>;

} // namespace palloc::test
