// SPDX-License-Identifier: MIT
/// @file
/// @brief Arenas begin at multiples of 2 MiB where there is room, and become smaller where there is
/// not.
#pragma once

#include <palloc/backings/detail/backing_decorator.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace palloc::inline v0::detail {

/// @brief The inner backing, but for the sizes and places of the regions that it is asked for.
template <backing_can_map Backing>
class arenas : public backing_decorator<arenas<Backing>, Backing> {
    using base = backing_decorator<arenas<Backing>, Backing>;

  public:
    using typename base::region;

    /// @param may_round_up  whether a small region in a narrow range may become as large as fits
    arenas(Backing inner, std::uint64_t arena_bytes, bool may_round_up) noexcept
        : base(std::move(inner)), arena_bytes_(arena_bytes), may_round_up_(may_round_up) {}

    /// @brief Maps what is wanted.
    /// @par Errors  those of the inner backing
    [[nodiscard]] result<region> map(const map_request& wanted) noexcept {
        if (wanted.bytes >= huge_bytes && wanted.alignment < huge_bytes) {
            map_request aligned = wanted;
            aligned.alignment = huge_bytes;
            if (auto got = base::map(aligned); got || got.error().code != errc::out_of_memory)
                return got;
        }
        // Many regions of a page each would be as many mappings.
        if (may_round_up_ && !exact_ && wanted.within != anywhere && wanted.bytes < arena_bytes_)
            for (std::uint64_t bytes = arena_bytes_ / 2; bytes > wanted.bytes; bytes /= 2) {
                map_request larger = wanted;
                larger.bytes = bytes;
                if (auto got = base::map(larger); got || got.error().code != errc::out_of_memory)
                    return got;
            }
        return base::map(wanted);
    }

    [[nodiscard]] auto in_child(const region& it) const noexcept
        requires requires(const Backing& b) { b.in_child(it); }
    {
        return this->inner_.in_child(it);
    }

    /// @brief Whether regions are to be of the better one of two backings.
    /// @pre  There are two.
    void prefer_first(bool wished) noexcept
        requires requires(Backing& b) { b.prefer_first(true); }
    {
        this->inner_.prefer_first(wished);
    }

    /// @brief Whether regions are to be no larger than asked for.
    void exact(bool wished) noexcept { exact_ = wished; }

  private:
    static constexpr std::uint64_t huge_bytes = std::uint64_t{2} << 20;

    std::uint64_t arena_bytes_;
    bool may_round_up_;
    bool exact_ = false;
};

} // namespace palloc::inline v0::detail
