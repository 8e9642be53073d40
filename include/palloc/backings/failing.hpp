// SPDX-License-Identifier: MIT
/// @file
/// @brief Another backing, whose nth call of a kind fails on demand.
///
/// When to choose it: to test that your program survives. Costs: two atomic additions a call.
///
///     fault_script script;
///     failing backing(mmap_backing(), script);
///     script.fail_nth(backing_call::map, 3);
#pragma once

#include <palloc/backings/detail/backing_decorator.hpp>
#include <palloc/backings/detail/fault_script.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>

#include <utility>

namespace palloc::inline v0 {

/// @brief Follows a script, and is otherwise the inner backing. A call that is made to fail does
/// not reach it.
template <backing_provider Backing>
class failing : public detail::backing_decorator<failing<Backing>, Backing> {
  public:
    /// @param script outlives the backing; stays with the caller, who goes on writing it.
    failing(Backing inner, fault_script& script) noexcept
        : detail::backing_decorator<failing, Backing>(std::move(inner)), script_(&script) {}

    /// @brief What the script says about the next call.
    [[nodiscard]] result<void> before(backing_call kind) noexcept { return script_->next(kind); }

  private:
    fault_script* script_;
};

} // namespace palloc::inline v0
