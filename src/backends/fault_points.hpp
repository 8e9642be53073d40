// SPDX-License-Identifier: MIT
/// @file
/// @brief Calls to the system that are counted, and that a test makes fail.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0::os {

/// @brief One counter, and one wish, for each kind of call.
/// @tparam Kind  an enumeration that ends in `any`, which counts all
template <class Kind>
class fault_points {
  public:
    /// @brief The `n`th call of this kind from now on fails with `code`; 0: none.
    void fail_nth(Kind kind, std::uint64_t n, int code) noexcept {
        fault& it = of(kind);
        it.code = code;
        it.fatal = n == 0 ? 0 : it.calls + n;
    }
    [[nodiscard]] std::uint64_t calls(Kind kind) noexcept { return of(kind).calls; }

    /// @brief Counts a call. Answers the code that it shall fail with, or 0.
    [[nodiscard]] int next(Kind kind) noexcept {
        const int by_any = of(Kind::any).next();
        const int by_kind = of(kind).next();
        return by_any != 0 ? by_any : by_kind;
    }

  private:
    struct fault {
        std::atomic<std::uint64_t> calls = 0;
        std::atomic<std::uint64_t> fatal = 0; ///< the number of the call that is to fail
        std::atomic<int> code = 0;

        [[nodiscard]] int next() noexcept {
            const std::uint64_t number = calls.fetch_add(1, std::memory_order_relaxed) + 1;
            return number == fatal.load(std::memory_order_relaxed) ? code.load() : 0;
        }
    };

    [[nodiscard]] fault& of(Kind kind) noexcept { return faults_[static_cast<std::size_t>(kind)]; }

    std::array<fault, static_cast<std::size_t>(Kind::any) + 1> faults_;
};

} // namespace palloc::inline v0::os
