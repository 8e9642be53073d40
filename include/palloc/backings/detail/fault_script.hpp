// SPDX-License-Identifier: MIT
/// @file
/// @brief Which call to a backing shall fail: the script that `fake` and `failing` follow.
#pragma once

#include <palloc/core/error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace palloc::inline v0 {

/// @brief The calls to a backing that may fail.
enum class backing_call : std::uint8_t {
    map,
    adopt,
    unmap,
    protect,
    open_alias,
    close_alias,
    replace_view,
    seal,
    commit,
    decommit,
    move_pages,
    make_permanent,
    open_part,
    close_part,
    store,
    lock,
    unlock,
    discard,
    any, ///< whichever comes
};

/// @brief Counts the calls of each kind, and says which of them is to fail.
/// @par Thread safety any thread may call `next`; wishes are made while none does
class fault_script {
  public:
    /// @brief The `n`th call of this kind from now on (1: the next) fails with `with`. One wish per
    /// kind; a new one replaces it, `n` = 0 withdraws it.
    void fail_nth(backing_call kind, std::uint64_t n,
                  error with = error{errc::os_failure}) noexcept {
        counter& it = of(kind);
        it.with = with;
        it.fatal = n == 0 ? 0 : it.calls + n;
    }

    /// @brief How many calls of this kind there were, failed ones included.
    [[nodiscard]] std::uint64_t calls(backing_call kind) const noexcept {
        return counters_[static_cast<std::size_t>(kind)].calls;
    }

    /// @brief To be asked before each call: goes on, or fails with the error wished for.
    [[nodiscard]] result<void> next(backing_call kind) noexcept {
        const auto by_any = of(backing_call::any).next();
        const auto by_kind = of(kind).next();
        return by_any ? by_kind : by_any;
    }

  private:
    struct counter {
        std::atomic<std::uint64_t> calls = 0;
        std::uint64_t fatal = 0; ///< the number of the call that is to fail
        error with{};

        [[nodiscard]] result<void> next() noexcept {
            if (calls.fetch_add(1, std::memory_order_relaxed) + 1 == fatal)
                return fail(with.code, with.os_code);
            return {};
        }
    };

    [[nodiscard]] counter& of(backing_call kind) noexcept {
        return counters_[static_cast<std::size_t>(kind)];
    }

    std::array<counter, static_cast<std::size_t>(backing_call::any) + 1> counters_;
};

} // namespace palloc::inline v0
