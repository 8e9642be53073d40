// SPDX-License-Identifier: MIT
/// @file
/// @brief Another backing with a cap on the bytes of all its regions together.
///
/// When to choose it: a pool must not take more than its share. Costs: an addition a chunk; 16
/// bytes.
#pragma once

#include <palloc/backings/detail/backing_decorator.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace palloc::inline v0 {

/// @brief Refuses regions beyond the cap, and is otherwise the inner backing.
/// @par Thread safety as the inner backing, but for map, adopt and unmap: none
template <backing_provider Backing>
class limited : public detail::backing_decorator<limited<Backing>, Backing> {
    using base = detail::backing_decorator<limited<Backing>, Backing>;

  public:
    using typename base::adoption;
    using typename base::region;

    limited(Backing inner, std::uint64_t cap_bytes) noexcept
        : base(std::move(inner)), cap_bytes_(cap_bytes) {}

    /// @brief The bytes of the regions that exist.
    [[nodiscard]] std::uint64_t used_bytes() const noexcept { return used_bytes_; }
    /// @brief What they may come to.
    [[nodiscard]] std::uint64_t cap_bytes() const noexcept { return cap_bytes_; }

    /// @brief What they may still come to. A backing that rounds further than its pages may go
    /// beyond the cap once.
    [[nodiscard]] std::uint64_t left_bytes() const noexcept {
        const std::uint64_t own = used_bytes_ < cap_bytes_ ? cap_bytes_ - used_bytes_ : 0;
        if constexpr (backing_tells_what_is_left<Backing>)
            return std::min(own, this->inner().left_bytes());
        else
            return own;
    }

    /// @brief Maps, if the cap allows.
    /// @par Errors `over_limit`; those of the inner backing
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept
        requires backing_can_map<Backing>
    {
        const std::uint64_t page = this->page_bytes();
        const std::uint64_t pages = wanted.bytes / page + (wanted.bytes % page != 0);
        if (pages > left_bytes() / page)
            return fail(errc::over_limit);
        return charged(base::map(wanted));
    }

    /// @brief Takes over a range, if the cap allows.
    /// @par Errors `over_limit`; those of the inner backing
    [[nodiscard]] result<region> adopt(adoption given) noexcept
        requires backing_can_adopt<Backing>
    {
        if (given.where.bytes > left_bytes())
            return fail(errc::over_limit);
        return charged(base::adopt(std::move(given)));
    }

    /// @brief Unmaps, and makes its bytes available again.
    [[nodiscard]] result<void> unmap(region& it) noexcept {
        const std::uint64_t bytes = this->where(it).bytes;
        return base::unmap(it).map([&]() noexcept { used_bytes_ -= bytes; });
    }

  private:
    [[nodiscard]] result<region> charged(result<region> made) noexcept {
        if (made)
            used_bytes_ += this->where(*made).bytes;
        return made;
    }

    std::uint64_t cap_bytes_;
    std::uint64_t used_bytes_ = 0;
};

} // namespace palloc::inline v0
