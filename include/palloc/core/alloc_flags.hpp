// SPDX-License-Identifier: MIT
/// @file
/// @brief What an allocation may do to succeed, and what is done with its bytes: a typed set.
///
/// | flag          | the kernel's       | meaning in user space                                   |
/// |---------------|--------------------|---------------------------------------------------------|
/// | `may_block`   | `__GFP_*RECLAIM`   | may map memory and books: wait for the operating system |
/// | `may_reserve` | `__GFP_HIGH`       | may take what the heap keeps for emergencies            |
/// | `zero`        | `__GFP_ZERO`       | new bytes are 0: exactly those beyond the old size      |
/// | `no_warn`     | `__GFP_NOWARN`     | a failure is not told to the heap's failure handler     |
/// | `account`     | `__GFP_ACCOUNT`    | charged to the heap's account, which has a limit of its
/// own |
///
/// | set              | bits                       | served from |
/// |------------------|----------------------------|------------------------------------------------|
/// | `kernel`         | `may_block`                | anything; the heap grows | | `kernel_account`
/// | `may_block`, `account`     | the same, charged                              | | `atomic` |
/// `may_reserve`              | what is mapped already, then from the reserve  | | `nowait` |
/// `no_warn`                  | what is mapped already; expects to fail        |
///
/// Source: the names are those of Linux's allocation flags.
#pragma once

#include <palloc/core/version.hpp>

#include <cstdint>

namespace palloc::inline v0 {

/// @brief A set of flags; regular, four bytes.
class alloc_flags {
  public:
    /// @brief The empty set: served from what is mapped already, without reserves.
    constexpr alloc_flags() noexcept = default;

    [[nodiscard]] static constexpr alloc_flags from_bits(std::uint32_t bits) noexcept {
        return alloc_flags(bits);
    }
    [[nodiscard]] constexpr std::uint32_t bits() const noexcept { return bits_; }

    /// @brief Whether all of `others` are in the set.
    [[nodiscard]] constexpr bool contains(alloc_flags others) const noexcept {
        return (bits_ & others.bits_) == others.bits_;
    }

    friend constexpr alloc_flags operator|(alloc_flags a, alloc_flags b) noexcept {
        return alloc_flags(a.bits_ | b.bits_);
    }
    friend constexpr alloc_flags operator&(alloc_flags a, alloc_flags b) noexcept {
        return alloc_flags(a.bits_ & b.bits_);
    }
    /// @brief Every flag that is not in the set.
    friend constexpr alloc_flags operator~(alloc_flags a) noexcept {
        return alloc_flags(~a.bits_ & all_bits);
    }
    constexpr alloc_flags& operator|=(alloc_flags other) noexcept { return *this = *this | other; }
    constexpr alloc_flags& operator&=(alloc_flags other) noexcept { return *this = *this & other; }
    friend constexpr bool operator==(alloc_flags, alloc_flags) = default;

  private:
    static constexpr std::uint32_t all_bits = 31;

    constexpr explicit alloc_flags(std::uint32_t bits) noexcept : bits_(bits & all_bits) {}

    std::uint32_t bits_ = 0;
};

/// @brief The flags, and the sets of them that have a name.
namespace flags {

inline constexpr alloc_flags may_block = alloc_flags::from_bits(1);
inline constexpr alloc_flags may_reserve = alloc_flags::from_bits(2);
inline constexpr alloc_flags zero = alloc_flags::from_bits(4);
inline constexpr alloc_flags no_warn = alloc_flags::from_bits(8);
inline constexpr alloc_flags account = alloc_flags::from_bits(16);

inline constexpr alloc_flags kernel = may_block;
inline constexpr alloc_flags kernel_account = may_block | account;
inline constexpr alloc_flags atomic = may_reserve;
inline constexpr alloc_flags nowait = no_warn;

} // namespace flags

} // namespace palloc::inline v0
