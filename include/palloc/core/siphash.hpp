// SPDX-License-Identifier: MIT
/// @file
/// @brief SipHash-1-3: a short tag that nobody can make who does not know the key.
///
/// Source: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
#pragma once

#include <palloc/core/version.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace palloc::inline v0 {

/// @brief The key of a `siphash`: 128 bits that nobody can guess.
using siphash_key = std::array<std::uint64_t, 2>;

/// @brief Takes in words and text, and answers their tag. O(bytes).
class siphash {
  public:
    constexpr explicit siphash(const siphash_key& key) noexcept
        : a_(key[0] ^ 0x736f6d6570736575U), b_(key[1] ^ 0x646f72616e646f6dU),
          c_(key[0] ^ 0x6c7967656e657261U), d_(key[1] ^ 0x7465646279746573U) {}

    /// @brief Eight bytes, the lowest first.
    constexpr siphash& word(std::uint64_t value) noexcept {
        d_ ^= value;
        round();
        a_ ^= value;
        bytes_ += sizeof value;
        return *this;
    }
    /// @brief The last thing that is taken in, if anything but words is.
    constexpr siphash& text(std::string_view value) noexcept {
        for (; value.size() >= sizeof rest_; value.remove_prefix(sizeof rest_))
            word(little_endian(value.substr(0, sizeof rest_)));
        rest_ = little_endian(value);
        bytes_ += value.size();
        return *this;
    }
    /// @brief The tag of all that was taken in.
    [[nodiscard]] constexpr std::uint64_t tag() const noexcept {
        siphash last = *this;
        last.word(rest_ | std::uint64_t{bytes_} << 56);
        last.c_ ^= 0xff;
        for (int i = 0; i != 3; ++i)
            last.round();
        return last.a_ ^ last.b_ ^ last.c_ ^ last.d_;
    }

  private:
    [[nodiscard]] static constexpr std::uint64_t little_endian(std::string_view bytes) noexcept {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i != bytes.size(); ++i)
            word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
        return word;
    }
    // Without calls, as it is run for each entry of a list, in builds without optimization too.
    constexpr void round() noexcept {
        a_ += b_;
        b_ = (b_ << 13 | b_ >> 51) ^ a_;
        a_ = a_ << 32 | a_ >> 32;
        c_ += d_;
        d_ = (d_ << 16 | d_ >> 48) ^ c_;
        a_ += d_;
        d_ = (d_ << 21 | d_ >> 43) ^ a_;
        c_ += b_;
        b_ = (b_ << 17 | b_ >> 47) ^ c_;
        c_ = c_ << 32 | c_ >> 32;
    }

    std::uint64_t a_;
    std::uint64_t b_;
    std::uint64_t c_;
    std::uint64_t d_;
    std::uint64_t rest_ = 0;
    std::uint64_t bytes_ = 0;
};

} // namespace palloc::inline v0
