// SPDX-License-Identifier: MIT
/// @file
/// @brief SipHash-1-3: a short tag that nobody can make who does not know the key.
///
/// Source: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
#pragma once

#include <palloc/core/version.hpp>

#include <array>
#include <bit>
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
        : v_{key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
             key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U} {}

    /// @brief Eight bytes, the lowest first.
    constexpr siphash& word(std::uint64_t value) noexcept {
        v_[3] ^= value;
        round();
        v_[0] ^= value;
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
        last.v_[2] ^= 0xff;
        for (int i = 0; i != 3; ++i)
            last.round();
        return last.v_[0] ^ last.v_[1] ^ last.v_[2] ^ last.v_[3];
    }

  private:
    [[nodiscard]] static constexpr std::uint64_t little_endian(std::string_view bytes) noexcept {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i != bytes.size(); ++i)
            word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
        return word;
    }
    constexpr void round() noexcept {
        auto& [a, b, c, d] = v_;
        a += b;
        b = std::rotl(b, 13) ^ a;
        a = std::rotl(a, 32);
        c += d;
        d = std::rotl(d, 16) ^ c;
        a += d;
        d = std::rotl(d, 21) ^ a;
        c += b;
        b = std::rotl(b, 17) ^ c;
        c = std::rotl(c, 32);
    }

    std::array<std::uint64_t, 4> v_;
    std::uint64_t rest_ = 0;
    std::uint64_t bytes_ = 0;
};

} // namespace palloc::inline v0
