// SPDX-License-Identifier: MIT
/// @file
/// @brief Whether pages that are committed are still known to be zero.
#pragma once

#include <palloc/backings/detail/backing_decorator.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <atomic>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief Says so when the system refuses to take pages back: they keep their contents, and the
/// next block over them would have them.
template <backing_can_commit Backing>
class clean_pages : public backing_decorator<clean_pages<Backing>, Backing> {
    using base = backing_decorator<clean_pages<Backing>, Backing>;

  public:
    using typename base::region;

    /// @param refused  outlives the backing; true from the first refusal on
    clean_pages(Backing inner, std::atomic<bool>& refused) noexcept
        : base(std::move(inner)), refused_(&refused) {}

    [[nodiscard]] result<void> decommit(region& it, range part) noexcept {
        auto done = base::decommit(it, part);
        if (!done) [[unlikely]]
            refused_->store(true, std::memory_order_relaxed);
        return done;
    }

  private:
    std::atomic<bool>* refused_;
};

} // namespace palloc::inline v0::detail
